package page

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aguante-chat/aguante/functions/trace/internal/deadletters"
	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/functions/trace/internal/store"
	"github.com/aguante-chat/aguante/shared/guard"
	"github.com/aguante-chat/aguante/shared/limits"
)

// lettersView is the page of dead letters.
type lettersView struct {
	Letters []letter
	Waiting int
	Audit   []entry // what was done lately, newest first
	Notice  string  // what became of the replay that was asked for
	Failed  bool
}

type letter struct {
	deadletters.Letter
	Kind string // the type without the project's prefix and version
}

// Circles tells of a letter that comes back whenever it is sent.
func (l letter) Circles() bool { return l.State == deadletters.Waiting && l.Replays >= limits.MaxHops }

type entry struct {
	deadletters.Entry
	Kind string
	Held bool // the letter is on the page
}

// auditShown is how much of the audit the page shows.
const auditShown = 20

func (c *Console) list(w http.ResponseWriter, r *http.Request) {
	letters, waiting, err := c.letters.List(r.Context(), decisions.MaxLimit)
	if err != nil {
		c.unavailable(w, r)
		return
	}
	audit, err := c.letters.Audit(r.Context(), auditShown)
	if err != nil {
		c.unavailable(w, r)
		return
	}
	v := lettersView{Waiting: waiting}
	for _, l := range letters {
		v.Letters = append(v.Letters, letter{l, kind(l.Type)})
	}
	for _, e := range audit {
		held := slices.ContainsFunc(letters, func(l deadletters.Letter) bool { return l.ID == e.Letter })
		v.Audit = append(v.Audit, entry{e, kind(e.Type), held})
	}
	v.Notice, v.Failed = notice(r.URL.Query(), waiting)
	c.render(w, r, http.StatusOK, "letters", view{Title: "Dead letters", Here: "letters", Body: v})
}

func kind(typ string) string {
	return strings.TrimSuffix(strings.TrimPrefix(typ, "dev.aguante."), ".v1")
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
	_, err := c.letters.Replay(r.Context(), r.PathValue("id"), r.URL.Query().Get("again") == "true", deadletters.Operator(r))
	replayed := 1
	if err != nil {
		replayed = 0
	}
	seeOther(w, r, replayed, err)
}

func (c *Console) replayAll(w http.ResponseWriter, r *http.Request) {
	replayed, err := c.letters.ReplayAll(r.Context(), deadletters.Operator(r))
	seeOther(w, r, replayed, err)
}

// failures are the words that stand for errors in the redirect after a replay. The first counts whose errors all match.
var failures = []struct {
	word string
	errs []error
}{
	{"gone", []error{store.ErrNotFound}}, {"already", []error{deadletters.ErrReplayed}}, {"circles", []error{deadletters.ErrCircles}},
	{"under-way", []error{deadletters.ErrUnderWay}}, {"no-broker", []error{deadletters.ErrNoBroker}},
	{"open", []error{deadletters.ErrNotTaken, guard.ErrOpen}}, {"slow", []error{deadletters.ErrNotTaken, guard.ErrTimeout}},
	{"not-taken", []error{deadletters.ErrNotTaken}}, {"store", nil},
}

func seeOther(w http.ResponseWriter, r *http.Request, replayed int, err error) {
	q := url.Values{"replayed": {strconv.Itoa(replayed)}}
	if err != nil {
		q.Set("failed", word(err))
	}
	http.Redirect(w, r, "/letters?"+q.Encode(), http.StatusSeeOther)
}

func word(err error) string {
	for _, f := range failures {
		if !slices.ContainsFunc(f.errs, func(e error) bool { return !errors.Is(err, e) }) {
			return f.word
		}
	}
	return ""
}

func failure(word string) string {
	for _, f := range failures {
		if f.word == word {
			_, title, detail := deadletters.Explain(errors.Join(f.errs...))
			return title + ". " + detail
		}
	}
	return "It was not sent again."
}
