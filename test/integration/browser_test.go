package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aguante-chat/aguante/test/stack"
	"github.com/chromedp/chromedp"
)

// browser opens a headless Chromium tab of the given size. Nothing but loopback is asked for.
func browser(t *testing.T, width, height int) context.Context {
	t.Helper()
	path, err := stack.Chromium(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tab, closeTab := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(chromedp.ExecPath(path),
		chromedp.Flag("no-sandbox", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true), chromedp.WindowSize(width, height)))
	t.Cleanup(closeTab)
	if err := chromedp.Do(tab, chromedp.EmulateViewport(int64(width), int64(height))); err != nil {
		t.Fatal(err)
	}
	tab, stop := context.WithTimeout(tab, 90*time.Second)
	t.Cleanup(stop)
	return tab
}

func perform(t *testing.T, tab context.Context, what string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, steps...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// evaluate runs an expression in the page.
func evaluate[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	value, err := chromedp.Run(tab, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// picture keeps a screenshot in the folder that AGUANTE_TEST_PICTURES names, for a person to look at.
func picture(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv("AGUANTE_TEST_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// text waits until the text of selector holds words.
func text(t *testing.T, tab context.Context, selector, words string) {
	t.Helper()
	var seen string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		seen = evaluate[string](t, tab, fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.innerText).join("\n")`, selector))
		if strings.Contains(seen, words) {
			return
		}
	}
	t.Fatalf("%s never says %q; it says %q", selector, words, seen)
}

// send types a message and sends it by keyboard alone, as the page's hint says.
func send(t *testing.T, tab context.Context, message string) {
	t.Helper()
	perform(t, tab, "type and send", chromedp.SendKeys("#message", message+"\r"))
}

func TestNewcomerIsRememberedInANewSessionAndSeesWhy(t *testing.T) {
	for name, size := range map[string][2]int{"desktop": {1280, 800}, "phone": {390, 844}} {
		t.Run(name, func(t *testing.T) {
			u := up(t, t.TempDir())
			tab := browser(t, size[0], size[1])
			perform(t, tab, "open the chat page", chromedp.Navigate(u.Chat), chromedp.WaitVisible("#message"))
			picture(t, tab, name+"-1-welcome")
			send(t, tab, "My sister Lucía lives in Cuenca.")
			text(t, tab, "#turns .reply .text", "Cuenca")

			newSession := map[string]string{"desktop": "#new", "phone": "#new-small"}[name]
			perform(t, tab, "new session", chromedp.Click(newSession))
			send(t, tab, "Where does my sister live?")
			text(t, tab, "#turns .reply .text", "your sister Lucía lives in Cuenca")
			picture(t, tab, name+"-2-remembered")

			perform(t, tab, "open the console", chromedp.Navigate(u.Trace), chromedp.WaitVisible("main"))
			eventually(t, "both turns are listed", func() bool {
				perform(t, tab, "reload", chromedp.Reload())
				return evaluate[int](t, tab, `document.querySelectorAll('a[href*="/turns/"]').length`) >= 2
			})
			picture(t, tab, name+"-3-console")
			perform(t, tab, "open the newest turn", chromedp.Click(`a[href*="/turns/"]`), chromedp.WaitVisible("h1"))
			text(t, tab, "main", "recall")
			picture(t, tab, name+"-4-turn")
			overflows(t, tab)
		})
	}
}

// overflows fails when the page is wider than the window: it would scroll sideways on a phone.
func overflows(t *testing.T, tab context.Context) {
	t.Helper()
	over := evaluate[int](t, tab, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	if over > 0 {
		t.Errorf("the page is %d px wider than its window", over)
	}
}

func TestPageSaysThatChatIsGoneAndComesBackByItself(t *testing.T) {
	data := t.TempDir()
	u := up(t, data)
	tab := browser(t, 1280, 800)
	perform(t, tab, "open the chat page", chromedp.Navigate(u.Chat), chromedp.WaitVisible("#message"))
	address := strings.TrimPrefix(u.Chat, "http://")
	if err := u.Kill(); err != nil {
		t.Fatal(err)
	}
	send(t, tab, "Is anybody there?")
	eventually(t, "the page says so", func() bool {
		return strings.Contains(strings.ToLower(evaluate[string](t, tab, `document.body.innerText`)), "again")
	})
	picture(t, tab, "5-gone")
	up(t, data, "--chat", address)
	text(t, tab, "#turns .reply .text", "remember")
}
