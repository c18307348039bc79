package page

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/guard"
)

// lettersView is the page of dead letters.
type lettersView struct {
	Letters []letter
	Waiting int
	Notice  string // what became of the replay that was asked for
	Failed  bool
}

type letter struct {
	deadletters.Letter
	Kind string // the type without the project's prefix and version
}

func (c *Console) list(w http.ResponseWriter, r *http.Request) {
	letters, waiting, err := c.letters.List(r.Context(), decisions.MaxLimit)
	if err != nil {
		c.unavailable(w, r)
		return
	}
	v := lettersView{Waiting: waiting}
	for _, l := range letters {
		kind := strings.TrimSuffix(strings.TrimPrefix(l.Type, "dev.aguante."), ".v1")
		v.Letters = append(v.Letters, letter{l, kind})
	}
	v.Notice, v.Failed = notice(r.URL.Query(), waiting)
	c.render(w, r, http.StatusOK, "letters", view{Title: "Dead letters", Here: "letters", Body: v})
}

// notice words the result of a replay, which the redirect after it carries as a number or a status.
func notice(q url.Values, waiting int) (text string, failed bool) {
	replayed, err := strconv.Atoi(q.Get("replayed"))
	switch {
	case q.Get("failed") != "":
		text, failed = failure(q.Get("failed")), true
	case err != nil || replayed < 0:
		return "", false
	}
	switch {
	case replayed > 0 && failed:
		return count(replayed, "letter") + " sent again, then it stopped. " + text, true
	case failed:
		return text, true
	case replayed == 0:
		return "There was nothing to send again.", false
	case waiting > 0:
		return count(replayed, "letter") + " sent again; " + strconv.Itoa(waiting) + " left.", false
	}
	return count(replayed, "letter") + " sent again.", false
}

func (c *Console) replay(w http.ResponseWriter, r *http.Request) {
	_, err := c.letters.Replay(r.Context(), r.PathValue("id"), r.URL.Query().Get("again") == "true")
	replayed := 1
	if err != nil {
		replayed = 0
	}
	seeOther(w, r, replayed, err)
}

func (c *Console) replayAll(w http.ResponseWriter, r *http.Request) {
	replayed, err := c.letters.ReplayAll(r.Context())
	seeOther(w, r, replayed, err)
}

// failures are the words that stand for errors in the redirect after a replay. The first that matches counts.
var failures = []struct {
	word string
	err  error
}{
	{"gone", store.ErrNotFound}, {"already", deadletters.ErrReplayed}, {"under-way", deadletters.ErrUnderWay},
	{"no-broker", deadletters.ErrNoBroker}, {"open", guard.ErrOpen}, {"slow", guard.ErrTimeout},
	{"not-taken", deadletters.ErrNotTaken}, {"store", store.ErrClosed},
}

func seeOther(w http.ResponseWriter, r *http.Request, replayed int, err error) {
	q := url.Values{"replayed": {strconv.Itoa(replayed)}}
	if err != nil {
		q.Set("failed", "store")
	}
	for _, f := range failures {
		if errors.Is(err, f.err) {
			q.Set("failed", f.word)
			break
		}
	}
	http.Redirect(w, r, "/letters?"+q.Encode(), http.StatusSeeOther)
}

func failure(word string) string {
	for _, f := range failures {
		if f.word == word {
			_, title, detail := deadletters.Explain(f.err)
			return title + ". " + detail
		}
	}
	return "It was not sent again."
}
