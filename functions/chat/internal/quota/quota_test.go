package quota

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aguante-chat/aguante/functions/chat/internal/reread"
	"github.com/aguante-chat/aguante/shared/limits"
)

var quiet = slog.New(slog.DiscardHandler)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, time.Now(), time.Now())); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheFileDoesNotSayIsAsInTheFigures(t *testing.T) {
	for text, want := range map[string]func(*Quota){
		"":                 func(*Quota) {},
		"spend: {}":        func(*Quota) {},
		"rates: {}":        func(*Quota) {},
		"spend:\nrates:\n": func(*Quota) {},
		"# nothing":        func(*Quota) {},
		"rates: {anonymous: {per_minute: 6, burst: 9}}": func(q *Quota) { q.Rates.Anonymous = limits.Rate{PerMinute: 6, Burst: 9} },
		"rates: {internal: {burst: 9}}":                 func(q *Quota) { q.Rates.Internal.Burst = 9 },
		"rates: {authenticated: {per_minute: 1000000}}": func(q *Quota) { q.Rates.Authenticated.PerMinute = limits.MostRate },
		"spend: {per_day: 0}":                           func(q *Quota) { q.Spend.PerDay = 0 },
		"spend: {per_hour: 0.5, per_day: 7}":            func(q *Quota) { q.Spend = Spend{PerHour: 0.5, PerDay: 7} },
	} {
		q := usual
		want(&q)
		if got, err := parse([]byte(text)); err != nil || got != q {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if f := Open("", quiet); f != nil || f.Now() != usual || f.Fault() != "" {
		t.Errorf("without a file: %+v", f.Now())
	}
	if f := Open(filepath.Join(t.TempDir(), "none"), quiet); f.Now() != usual || f.Fault() == "" {
		t.Errorf("with a file that is not there: %+v, fault %q", f.Now(), f.Fault())
	}
}

func TestALimitsFileThatCannotBeRightSaysWhereItIsNot(t *testing.T) {
	for text, where := range map[string]string{
		"rates: [":                                 "",
		"rates: {anonymous: {per_minute: 0}}":      "anonymous",
		"rates: {internal: {burst: -1}}":           "internal",
		"rates: {authenticated: {burst: 1000001}}": "authenticated",
		"rates: {chat: {per_minute: 1}}":           "chat",
		"rates: {anonymous: {per_minute: many}}":   "per_minute",
		"spend: {per_day: -1}":                     "per_day",
		"spend: {per_hour: .nan}":                  "per_hour",
		"spend: {per_week: 1}":                     "per_week",
		"spend: {per_hour: -1, per_day: -1}\nrates: {anonymous: {burst: 0}}": "anonymous",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), where) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTheLimitsFileIsReadAgainAndABadOneLeavesTheLimitsThatWere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits.yaml")
	write(t, path, "spend: {per_day: 1}")
	synctest.Test(t, func(t *testing.T) {
		f := Open(path, quiet)
		time.Sleep(time.Minute)
		for _, step := range []struct {
			text   string
			perDay float64
			bad    bool
		}{{"spend: {per_day: 2}", 2, false}, {"spend: {per_day: -2}", 2, true}, {"", limits.SpendDay, false}} {
			write(t, path, step.text)
			time.Sleep(2 * reread.Every) // of the bubble's time, as above
			if got := f.Now().Spend.PerDay; got != step.perDay || (f.Fault() != "") != step.bad {
				t.Errorf("after %q: %v a day, fault %q", step.text, got, f.Fault())
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "rates: {anonymous: {per_minute: 6, burst: 9}}", "spend: {per_hour: .inf}", "spend: {per_day: 1e400}", "&a [*a]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := parse(text)
		if err == nil && (!q.Rates.Anonymous.Possible() || !(q.Spend.PerDay >= 0)) {
			t.Errorf("%q: %+v", text, q)
		}
	})
}
