package trace

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

type auditEntry struct {
	Who, Type, Outcome, Detail string
	Letter                     string `json:"letter_id"`
}

func (r *running) audit() (entries []auditEntry) {
	r.t.Helper()
	var list struct{ Audit []auditEntry }
	a := r.do(http.MethodGet, "/dead-letters/audit", "")
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		r.t.Fatalf("%d %s", a.status, a.body)
	}
	return list.Audit
}

func TestTheAuditSaysWhoReplayedAndWhatCameOfIt(t *testing.T) {
	broker := newSink(t)
	r, id := withLetter(t, Config{DeadLetterReplay: broker.URL})
	path := "/dead-letters/" + id + "/replay"
	broker.answer(http.StatusBadRequest)
	r.do(http.MethodPost, path, "", "X-Forwarded-User", "ana\u200b@ops")
	broker.answer(http.StatusAccepted)
	r.do(http.MethodPost, "/letters/"+id+"/replay", "", "X-Forwarded-User", "eva")
	r.do(http.MethodPost, path, "") // refused: nothing was done
	want := []auditEntry{
		{Who: "eva (127.0.0.1)", Outcome: "sent"},
		{Who: "ana@ops (127.0.0.1)", Outcome: "not sent", Detail: "The broker did not take it"},
	}
	check := func() {
		t.Helper()
		got := r.audit()
		if len(got) != len(want) {
			t.Fatalf("%+v", got)
		}
		for i := range want {
			want[i].Letter, want[i].Type = id, "dev.aguante.turn.completed.v1"
			if got[i] != want[i] {
				t.Errorf("entry %d is %+v, want %+v", i, got[i], want[i])
			}
		}
	}
	check()
	r.die("d1") // its receiver refuses it once more
	want[0].Outcome = "came back"
	check()
	page := r.page("/letters")
	for _, words := range []string{"What was done", "<bdi>eva (127.0.0.1)</bdi>", "<b>came back</b>", "The broker did not take it", `href="#l` + id + `"`} {
		if !strings.Contains(page, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
}

func TestReplayAllSaysHowManyAndWhyItStopped(t *testing.T) {
	broker := newSink(t)
	r := run(t, Config{DeadLetterReplay: broker.URL})
	for i := range 10 {
		r.die(fmt.Sprint("d", i))
	}
	all := func() answer { return r.do(http.MethodPost, "/dead-letters/replay", "") }
	if a := all(); a.status != http.StatusOK || a.body != `{"replayed":10,"waiting":0}`+"\n" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := all(); a.body != `{"replayed":0,"waiting":0}`+"\n" || broker.taken() != 10 {
		t.Fatalf("again: %s; %d taken", a.body, broker.taken())
	}
	if got := r.audit(); len(got) != 10 || got[0].Who != "127.0.0.1" {
		t.Errorf("audited %+v", got)
	}
	r.die("d1")
	broker.Close()
	r.problem(all(), http.StatusBadGateway)
}
