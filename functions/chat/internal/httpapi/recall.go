package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aguante-chat/aguante/shared/graph"
	"github.com/aguante-chat/aguante/shared/limits"
)

// recallLimit is how many items GET /recall gives when it is not told.
const recallLimit = 10

type recallItem struct {
	TurnID string    `json:"turn_id,omitempty"`
	Fact   string    `json:"fact,omitempty"`
	Text   string    `json:"text"`
	Score  float64   `json:"score"`
	At     time.Time `json:"at"`
}

// recall serves GET /recall.
func (a *api) recall(w http.ResponseWriter, r *http.Request, c *call) error {
	q, err := parseRecall(r)
	if err != nil {
		return err
	}
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	found, err := a.Teller.Recall(r.Context(), q.User, q.Text, q.Limit)
	if err != nil {
		return err
	}
	items := make([]recallItem, 0, len(found))
	for _, f := range found {
		items = append(items, recallItem{TurnID: f.TurnID, Fact: f.Fact, Text: f.Text, Score: f.Score, At: f.At})
	}
	writeJSON(w, http.StatusOK, struct {
		Items []recallItem `json:"items"`
	}{items})
	return nil
}

func parseRecall(r *http.Request) (graph.Query, error) {
	values := r.URL.Query()
	q := graph.Query{User: values.Get("user"), Text: values.Get("q"), Limit: recallLimit}
	if err := checkID("user", q.User); err != nil {
		return q, err
	}
	switch {
	case strings.TrimSpace(q.Text) == "":
		return q, invalid("q", "is empty")
	case len(q.Text) > limits.MaxMessage:
		return q, errLong
	case !utf8.ValidString(q.Text):
		return q, invalid("q", "is not valid UTF-8")
	}
	if values.Has("limit") {
		n, err := strconv.Atoi(values.Get("limit"))
		if err != nil || n < 1 || n > graph.MaxItems {
			return q, invalid("limit", "is not a number from 1 to "+strconv.Itoa(graph.MaxItems))
		}
		q.Limit = n
	}
	return q, nil
}
