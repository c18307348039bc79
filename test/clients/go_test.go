package clients

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

func ask(content string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(content)}}
}

func askTools() openai.ChatCompletionNewParams {
	q := ask("Weather?")
	q.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "weather"})}
	return q
}

func TestOpenAIsClientForGo(t *testing.T) {
	e := newEngine(t)
	base := startChat(t, e) + "/v1"
	with := func(key string, retries int) openai.Client {
		return openai.NewClient(option.WithBaseURL(base), option.WithAPIKey(key), option.WithMaxRetries(retries))
	}
	c := with(key, 0)
	for name, run := range map[string]func(*testing.T){
		"chat":                     func(t *testing.T) { goChat(t, c) },
		"streaming":                func(t *testing.T) { goStream(t, c) },
		"tools":                    func(t *testing.T) { goTools(t, c) },
		"several choices":          func(t *testing.T) { goChoices(t, c) },
		"formats, parts, the rest": func(t *testing.T) { goPassedThrough(t, c) },
		"models":                   func(t *testing.T) { goModels(t, c) },
		"errors":                   func(t *testing.T) { goErrors(t, c, with("unknown", 0)) },
		"rate limit and retries":   func(t *testing.T) { goRetries(t, with(onceKey, 0), with(slowKey, 3)) },
		"cancel":                   func(t *testing.T) { goCancel(t, c, e) },
	} {
		t.Run(name, run)
	}
	e.check(t, "go")
}

func goChat(t *testing.T, c openai.Client) {
	q := ask("Hi")
	q.User = openai.String("ana")
	got, err := c.Chat.Completions.New(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	one := got.Choices[0]
	if one.Message.Content != answer || one.FinishReason != "stop" || got.Model != model || got.Usage.TotalTokens != 12 ||
		got.Usage.PromptTokensDetails.CachedTokens != 2 || !strings.Contains(got.RawJSON(), `"fp_1"`) || got.JSON.ExtraFields["aguante"].Raw() == "" {
		t.Errorf("got %s", got.RawJSON())
	}
}

func goStream(t *testing.T, c openai.Client) {
	q := ask("Hi")
	q.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	stream := c.Chat.Completions.NewStreaming(t.Context(), q)
	defer stream.Close()
	all := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		if !all.AddChunk(stream.Current()) {
			t.Errorf("a chunk of another answer: %s", stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if one := all.Choices[0]; one.Message.Content != answer || one.FinishReason != "stop" || all.Usage.TotalTokens != 12 || all.Model != model {
		t.Errorf("got %+v", all.ChatCompletion)
	}
}

func goTools(t *testing.T, c openai.Client) {
	got, err := c.Chat.Completions.New(t.Context(), askTools())
	if err != nil {
		t.Fatal(err)
	}
	stream, all := c.Chat.Completions.NewStreaming(t.Context(), askTools()), openai.ChatCompletionAccumulator{}
	defer stream.Close()
	for stream.Next() {
		all.AddChunk(stream.Current())
	}
	for _, got := range []*openai.ChatCompletion{got, &all.ChatCompletion} {
		one := got.Choices[0]
		if len(one.Message.ToolCalls) != 1 || one.FinishReason != "tool_calls" {
			t.Fatalf("got %+v", got)
		}
		if call := one.Message.ToolCalls[0]; call.ID != "call_1" || call.Function.Name != "weather" || call.Function.Arguments != `{"city":"Quito"}` {
			t.Errorf("got %+v", call)
		}
	}
}

func goChoices(t *testing.T, c openai.Client) {
	q := ask("Hi")
	q.N = openai.Int(2)
	got, err := c.Chat.Completions.New(t.Context(), q)
	if err != nil || len(got.Choices) != 2 || got.Choices[1].Message.Content != answer {
		t.Errorf("got %+v, %v", got, err)
	}
}

func goPassedThrough(t *testing.T, c openai.Client) {
	q := ask("go format")
	q.ResponseFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
		JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "n", Schema: json.RawMessage("{}")},
	}}
	q.SetExtraFields(map[string]any{"unheard_of": []int{1}})
	if _, err := c.Chat.Completions.New(t.Context(), q); err != nil {
		t.Error(err)
	}
	q = ask("")
	q.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
		openai.TextContentPart("go parts"), openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64,AA=="}),
	})}
	if _, err := c.Chat.Completions.New(t.Context(), q); err != nil {
		t.Error(err)
	}
}

func goModels(t *testing.T, c openai.Client) {
	page, err := c.Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range page.Data {
		names = append(names, m.ID)
	}
	if !slices.Equal(names, []string{"scripted", "local"}) {
		t.Errorf("got %q", names)
	}
	if m, err := c.Models.Get(t.Context(), "local"); err != nil || m.ID != "local" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func goErrors(t *testing.T, c, stranger openai.Client) {
	create := func(c openai.Client, q openai.ChatCompletionNewParams) error {
		_, err := c.Chat.Completions.New(t.Context(), q)
		return err
	}
	streamed := c.Chat.Completions.NewStreaming(t.Context(), ask("refuse"))
	defer streamed.Close()
	streamed.Next()
	_, missing := c.Models.Get(t.Context(), "none")
	for name, want := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"unknown key":       {create(stranger, ask("Hi")), 401, "invalid_api_key"},
		"refused":           {create(c, ask("refuse")), 400, "content_filter"},
		"refused, streamed": {streamed.Err(), 400, "content_filter"},
		"no messages":       {create(c, openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{}}), 400, "invalid_value"},
		"too large":         {create(c, ask(strings.Repeat("x", 2<<20))), 413, "request_too_large"},
		"no such model":     {missing, 404, "model_not_found"},
	} {
		var e *openai.Error
		if !errors.As(want.err, &e) || e.StatusCode != want.status || e.Code != want.code || e.Message == "" {
			t.Errorf("%s: got %v", name, want.err)
		}
	}
}

func goRetries(t *testing.T, hasty, patient openai.Client) {
	for _, c := range []openai.Client{hasty, patient} {
		if _, err := c.Chat.Completions.New(t.Context(), ask("Hi")); err != nil {
			t.Fatal(err)
		}
	}
	_, err := hasty.Chat.Completions.New(t.Context(), ask("Hi"))
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != http.StatusTooManyRequests || e.Code != "rate_limit_exceeded" || e.Response.Header.Get("Retry-After") == "" {
		t.Errorf("got %v", err)
	}
	if _, err := patient.Chat.Completions.New(t.Context(), ask("Hi")); err != nil {
		t.Errorf("after waiting: %v", err)
	}
}

func goCancel(t *testing.T, c openai.Client, e *engine) {
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-e.hanging; leave() }()
	if _, err := c.Chat.Completions.New(ctx, ask("hang")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	stream := c.Chat.Completions.NewStreaming(t.Context(), ask("hang"))
	for stream.Next() {
		if choices := stream.Current().Choices; len(choices) > 0 && choices[0].Delta.Content != "" {
			break
		}
	}
	_ = stream.Close()
}
