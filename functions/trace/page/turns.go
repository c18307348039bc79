package page

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/functions/trace/internal/decisions"
	"github.com/aguante-chat/aguante/shared/decision"
)

// turnsView is the list of turns.
type turnsView struct {
	Filter   decisions.Filter
	Active   bool // some filter is set
	Problem  string
	Tally    []tally
	Days     []day
	Older    string // URL of the next page; empty: there is none
	Newest   string // URL of the first page, when this is another
	Since    []choice
	Outcomes []choice
	Known    []string // dependencies seen on this page, for the filter to offer
}

type day struct {
	Name string
	Rows []row
}

type row struct {
	decisions.Summary
	URL   string
	Share float64 // of the budget, 0 to 100
}

type tally struct {
	Outcome string
	N       int
	URL     string
}

type choice struct {
	Value, Label string
	Chosen       bool
}

func (c *Console) turns(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	var f decisions.Filter
	if err == nil {
		f, err = decisions.ParseFilter(q, time.Now())
	}
	v := turnsView{Filter: f, Active: len(f.Values()) > 0}
	status := http.StatusOK
	if err != nil {
		status, v.Problem, v.Active = http.StatusBadRequest, plain(err.Error(), longText), true
	} else {
		page, err := c.decisions.List(r.Context(), f)
		if err != nil {
			c.unavailable(w, r)
			return
		}
		v.fill(page)
	}
	v.offer()
	c.render(w, r, status, "turns", view{Title: "Turns", Here: "turns", Body: v})
}

func (v *turnsView) fill(page decisions.Page) {
	counts := map[string]int{}
	for _, s := range page.Decisions {
		counts[s.Outcome]++
		name := s.StartedAt.UTC().Format("Monday, 2 January 2006")
		if len(v.Days) == 0 || v.Days[len(v.Days)-1].Name != name {
			v.Days = append(v.Days, day{Name: name})
		}
		last := &v.Days[len(v.Days)-1]
		last.Rows = append(last.Rows, row{Summary: s, URL: turnURL(s.TurnID, s.User), Share: 100 * share(s.DurationMS, s.BudgetMS)})
		v.Known = append(v.Known, s.Dependencies...)
	}
	slices.Sort(v.Known)
	v.Known = slices.Compact(v.Known)
	for _, outcome := range outcomes {
		if n := counts[outcome]; n > 0 {
			narrower := v.Filter
			narrower.Outcome, narrower.Before = outcome, nil
			v.Tally = append(v.Tally, tally{outcome, n, listURL(narrower)})
		}
	}
	first, older := v.Filter, v.Filter
	if first.Before != nil {
		first.Before = nil
		v.Newest = listURL(first)
	}
	if page.Next != nil {
		older.Before = page.Next
		v.Older = listURL(older)
	}
}

var outcomes = []string{decision.Success, decision.Fallback, decision.Refused, decision.Failure}

// offer fills the choices of the filter form.
func (v *turnsView) offer() {
	v.Outcomes = []choice{{"", "any", v.Filter.Outcome == ""}}
	for _, o := range outcomes {
		v.Outcomes = append(v.Outcomes, choice{o, o, v.Filter.Outcome == o})
	}
	v.Since = []choice{{"", "any time", v.Filter.Since == ""}, {"15m", "last 15 minutes", false}, {"1h", "last hour", false},
		{"24h", "last day", false}}
	known := v.Filter.Since == ""
	for i := range v.Since {
		if v.Since[i].Value == v.Filter.Since {
			v.Since[i].Chosen, known = true, true
		}
	}
	if !known {
		v.Since = append(v.Since, choice{v.Filter.Since, "since " + v.Filter.Since, true})
	}
}

func listURL(f decisions.Filter) string {
	if q := f.Values().Encode(); q != "" {
		return "/?" + q
	}
	return "/"
}

func turnURL(turnID, user string) string {
	return "/turns/" + strings.ReplaceAll(url.PathEscape(turnID), ".", "%2E") + "?" + url.Values{"user": {user}}.Encode()
}

func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(1, part/whole)
}
