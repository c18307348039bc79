package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAStreamBeginsWithItsFirstEvent(t *testing.T) {
	w := httptest.NewRecorder()
	s := newStream(w, "t-1")
	defer s.close()
	if w.Header().Get("Content-Type") != "" || w.Flushed {
		t.Error("it began before there was anything to say")
	}
	if err := s.send("delta", delta{Text: "a <b>\n\"c\" 漢"}); err != nil {
		t.Fatal(err)
	}
	if err := s.send("", delta{Text: "d"}); err != nil {
		t.Fatal(err)
	}
	const want = "event: delta\nid: 1\ndata: {\"text\":\"a <b>\\n\\\"c\\\" 漢\"}\n\nid: 2\ndata: {\"text\":\"d\"}\n\n"
	if got := w.Body.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if w.Header().Get("Content-Type") != "text/event-stream" || !w.Flushed {
		t.Errorf("headers %v, flushed %v", w.Header(), w.Flushed)
	}
}

func TestASilentStreamIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		s := newStream(w, "t-1")
		_ = s.send("delta", delta{Text: "a"})
		time.Sleep(3*heartbeat + time.Second)
		synctest.Wait()
		if got := strings.Count(w.Body.String(), ": still here\n\n"); got != 3 {
			t.Errorf("%d comments in three heartbeats", got)
		}
		s.close()
		time.Sleep(3 * heartbeat)
		if got := strings.Count(w.Body.String(), ": still here\n\n"); got != 3 {
			t.Error("it went on after its end")
		}
		if err := s.send("delta", delta{}); err == nil {
			t.Error("it took an event after its end")
		}
	})
}

type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }

func TestACallerWhoLeftStopsTheStream(t *testing.T) {
	s := newStream(gone{httptest.NewRecorder()}, "t-1")
	defer s.close()
	if err := s.send("delta", delta{Text: "a"}); err == nil {
		t.Error("nobody noticed")
	}
}

func BenchmarkStreamedPiece(b *testing.B) {
	s := newStream(discard{header: http.Header{}}, "t-1")
	defer s.close()
	piece := &delta{Text: "some words of an answer "}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.send("delta", piece); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
func (discard) FlushError() error           { return nil }

func (discard) SetWriteDeadline(time.Time) error { return nil }
