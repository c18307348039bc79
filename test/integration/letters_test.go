package integration

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// die posts turns that went round too often, which are dead letters at once.
func die(t *testing.T, broker string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		event := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/elsewhere","type":"dev.aguante.turn.completed.v1","subject":"s1","hops":4,
			"datacontenttype":"application/json","data":{"turn_id":%q,"session_id":"s1","user":"eva",
			"messages":[{"role":"user","content":"Box %s is in the cellar.","at":"2025-05-03T10:00:00Z"}]}}`, id, id, id)
		if status, answer := call(t, http.MethodPost, broker, "application/cloudevents+json", []byte(event)); status != http.StatusAccepted {
			t.Fatalf("POST event: %d: %s", status, answer)
		}
	}
}

func TestAnOperatorReplaysDeadLettersAndSeesWhatCameOfIt(t *testing.T) {
	for name, size := range map[string][2]int{"desktop": {1280, 800}, "phone": {390, 844}} {
		t.Run(name, func(t *testing.T) {
			u := up(t, t.TempDir())
			die(t, u.Broker, "one", "two", "three")
			tab := browser(t, size[0], size[1])
			perform(t, tab, "open the dead letters", chromedp.Navigate(u.Trace+"/letters"))
			eventually(t, "all are listed", func() bool {
				perform(t, tab, "reload", chromedp.Reload())
				return evaluate[int](t, tab, `document.querySelectorAll('.letter .waiting').length`) == 3
			})
			text(t, tab, "main", "508")
			picture(t, tab, name+"-6-letters")
			perform(t, tab, "replay one", chromedp.Click(".letter button"), chromedp.WaitVisible(".notice"))
			text(t, tab, ".notice", "1 letter sent again; 2 left.")
			perform(t, tab, "replay all", chromedp.Click(".heading button"), chromedp.WaitVisible(".notice"))
			text(t, tab, ".notice", "2 letters sent again.")
			text(t, tab, ".audit", "sent")
			picture(t, tab, name+"-7-replayed")
			overflows(t, tab)
			for _, box := range []string{"one", "two", "three"} {
				eventually(t, "the replayed turn is recalled: "+box, recalls(t, u, "eva", "where is box "+box, "Box "+box))
			}
		})
	}
}
