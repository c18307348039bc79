package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// underWay is an answer under way: its turn, the last event heard, and the sentences said beside it.
type underWay struct {
	turn, last string
	said       map[string]bool
}

// ask posts the message, or goes on with a stream that broke off, and prints what comes. It fails with errLost when it may
// be called again.
func (c *conversation) ask(ctx context.Context, text string, s *underWay) error {
	request, err := c.request(ctx, text, s)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "text/event-stream")
	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	defer answer.Body.Close()
	switch status := answer.StatusCode; {
	case status == http.StatusOK:
		s.turn = answer.Header.Get("Aguante-Turn")
		return c.print(answer.Body, s)
	case s.turn != "" && (status == http.StatusNotFound || status == http.StatusConflict):
		return errBrokeOff
	case s.turn != "" && status == http.StatusServiceUnavailable:
		return errLost
	}
	return refused(answer)
}

func (c *conversation) request(ctx context.Context, text string, s *underWay) (*http.Request, error) {
	base := strings.TrimSuffix(c.URL, "/") + "/chat"
	if s.turn != "" {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/"+url.PathEscape(s.turn)+"/stream", nil)
		if err == nil {
			request.Header.Set("Last-Event-ID", s.last)
		}
		return request, err
	}
	asked := struct {
		Message string `json:"message"`
		User    string `json:"user,omitempty"`
		Session string `json:"session_id,omitempty"`
		Stream  bool   `json:"stream"`
	}{text, c.User, c.Session, true}
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base, bytes.NewReader(body))
	if err == nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, err
}

func refused(answer *http.Response) error {
	var p problem
	_ = json.NewDecoder(io.LimitReader(answer.Body, limits.MaxBody)).Decode(&p)
	p.Status = answer.StatusCode
	p.RetryAfter, _ = strconv.Atoi(answer.Header.Get("Retry-After"))
	return p.sentence()
}

// print shows a stream as it comes.
func (c *conversation) print(body io.Reader, s *underWay) error {
	for m, err := range messages(body) {
		if err != nil {
			break
		}
		s.last = m.id
		switch m.event {
		case "delta":
			var delta struct{ Text string }
			_ = json.Unmarshal(m.data, &delta)
			fmt.Fprint(c.out, printable(delta.Text))
		case "degraded":
			var d guard.Degraded
			_ = json.Unmarshal(m.data, &d)
			c.degraded(d, s.said)
		case "error":
			var p problem
			_ = json.Unmarshal(m.data, &p)
			return p.sentence()
		case "done":
			c.done(m.data, s.said)
			return nil
		}
	}
	if s.turn == "" {
		return errBrokeOff
	}
	return errLost
}

func (c *conversation) done(data []byte, said map[string]bool) {
	var reply struct {
		SessionID string           `json:"session_id"`
		Degraded  []guard.Degraded `json:"degraded"`
	}
	_ = json.Unmarshal(data, &reply)
	fmt.Fprintln(c.out)
	for _, d := range reply.Degraded {
		c.degraded(d, said)
	}
	if reply.SessionID != "" {
		c.Session = reply.SessionID
	}
}

// degraded says each thing once a turn.
func (c *conversation) degraded(d guard.Degraded, said map[string]bool) {
	if sentence := degradedSentence(d); !said[sentence] {
		said[sentence] = true
		fmt.Fprintf(c.out, "[%s]\n", sentence)
	}
}
