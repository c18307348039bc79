package decisions

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseFilterReadsEveryParameter(t *testing.T) {
	q, _ := url.ParseQuery("session_id=s&user=u&outcome=refused&dependency=redis&since=90m&limit=7&before=12-34")
	got, err := ParseFilter(q, noon)
	want := Filter{Session: "s", User: "u", Outcome: "refused", Dependency: "redis", Since: "90m",
		After: noon.Add(-90 * time.Minute), Limit: 7, Before: &Cursor{12, 34}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestParseFilterTakesEmptyFieldsOfAForm(t *testing.T) {
	q, _ := url.ParseQuery("session_id=&user=&outcome=&dependency=&since=&limit=")
	got, err := ParseFilter(q, noon)
	if err != nil || !reflect.DeepEqual(got, Filter{Limit: DefaultLimit}) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestParseFilterNamesWhatIsWrong(t *testing.T) {
	for query, want := range map[string]string{
		"limit=0": "limit: must be 1 to 500", "limit=-1": "limit:", "limit=501": "limit:", "limit=ten": "limit:",
		"since=yesterday": "since: must be", "since=-1h": "since:", "outcome=ok": "outcome: must be one of",
		"before=x": "before:", "before=1": "before:", "before=-1-2": "before:", "user_id=ana": `"user_id": is no filter`,
		"user=a&user=b": "user: is given 2 times", "session_id=a%00b": "session_id: holds control", "user=" + strings.Repeat("x", 200): "user: is longer",
	} {
		q, _ := url.ParseQuery(query)
		if _, err := ParseFilter(q, noon); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add("session_id=s&since=1h&limit=5&before=1-2")
	f.Add("since=2026-10-01T12:00:00Z&outcome=success&dependency=%22redis%22")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		filter, err := ParseFilter(q, noon)
		if err != nil {
			return
		}
		again, err := ParseFilter(filter.Values(), noon)
		if err != nil || !reflect.DeepEqual(filter, again) {
			t.Fatalf("%q: %+v became %+v, %v", query, filter, again, err)
		}
	})
}
