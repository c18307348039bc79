package chain_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine/chain"
	"github.com/aguante-chat/aguante/functions/chat/internal/engine/local"
	"github.com/aguante-chat/aguante/shared/telemetry"
)

// text tells attributes as "key=value", without those that name the server.
func text(all []attribute.KeyValue) (words []string) {
	for _, a := range all {
		if !strings.HasPrefix(string(a.Key), "server.") {
			words = append(words, fmt.Sprintf("%s=%s", a.Key, a.Value.String()))
		}
	}
	slices.Sort(words)
	return words
}

func TestAttemptsAreToldByTheGenAIConventions(t *testing.T) {
	bad := newScripted(t, status(503))
	good := newScripted(t, func(w http.ResponseWriter, _ *http.Request) { say(w, finish+usage+done, "Hi.") })
	path := t.TempDir() + "/engines.yaml"
	write(t, path, entry("bad", bad.URL, "    model: small"), entry("good", good.URL, "    api_key_env: HOME"))
	reader, spans, nop := sdkmetric.NewManualReader(), tracetest.NewSpanRecorder(), telemetry.Nop()
	c, err := chain.Open(chain.Config{
		File: path, Getenv: func(string) string { return "the-secret-key" }, Last: local.Engine{}, Log: nop.Log,
		Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer(""),
		Meter:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter(""),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := hello()
	r.Model = "whatever the caller says"
	if _, err := c.Answer(t.Context(), r, new(heard).emit); err != nil {
		t.Fatal(err)
	}

	ended := spans.Ended()
	if len(ended) != 2 || ended[0].Name() != "chat small" || ended[1].Name() != "chat "+r.Model {
		t.Fatalf("spans %v", ended)
	}
	wantSpan := []string{"gen_ai.operation.name=chat", "gen_ai.provider.name=good", "gen_ai.request.model=" + r.Model, "gen_ai.request.stream=true",
		`gen_ai.response.finish_reasons=["stop"]`, "gen_ai.response.model=m-1", "gen_ai.usage.input_tokens=5", "gen_ai.usage.output_tokens=7"}
	if got := text(ended[1].Attributes()); !slices.Equal(got, wantSpan) {
		t.Errorf("span %q", got)
	}
	if got := text(ended[0].Attributes()); !slices.Contains(got, "error.type=503") {
		t.Errorf("span of the engine that failed: %q", got)
	}

	all := measured(t, reader)
	for name, want := range map[string][]string{
		"gen_ai.client.operation.duration s": {
			"error.type=503 gen_ai.operation.name=chat gen_ai.provider.name=bad gen_ai.request.model=small",
			"gen_ai.operation.name=chat gen_ai.provider.name=good",
		},
		"gen_ai.client.operation.time_to_first_chunk s": {"gen_ai.operation.name=chat gen_ai.provider.name=good"},
		"gen_ai.client.token.usage {token}": {
			"gen_ai.operation.name=chat gen_ai.provider.name=good gen_ai.token.type=input",
			"gen_ai.operation.name=chat gen_ai.provider.name=good gen_ai.token.type=output",
		},
	} {
		if !slices.Equal(all[name], want) {
			t.Errorf("%s: %q, want %q", name, all[name], want)
		}
	}
	for _, s := range ended {
		if strings.Contains(fmt.Sprint(s.Attributes(), s.Status()), "secret") || strings.Contains(fmt.Sprint(s.Attributes()), "Loja") {
			t.Errorf("a key or a text is in the span %v", s.Attributes())
		}
	}
}

// measured are the attributes of each data point, by instrument.
func measured(t *testing.T, reader sdkmetric.Reader) map[string][]string {
	t.Helper()
	var got metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &got); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, m := range got.ScopeMetrics[0].Metrics {
		name := m.Name + " " + m.Unit
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				all[name] = append(all[name], strings.Join(text(p.Attributes.ToSlice()), " "))
			}
		case metricdata.Histogram[int64]:
			for _, p := range data.DataPoints {
				all[name] = append(all[name], strings.Join(text(p.Attributes.ToSlice()), " "))
			}
		}
		slices.Sort(all[name])
	}
	return all
}
