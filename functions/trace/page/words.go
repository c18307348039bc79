package page

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds on what a page shows of one value, in characters: traces come from outside.
const (
	shortText = 120
	longText  = 600
)

var functions = template.FuncMap{
	"short": func(s string) string { return plain(s, shortText) },
	"long":  func(s string) string { return plain(s, longText) },
	"span":  span,
	"clock": func(t time.Time) string { return t.UTC().Format("15:04:05.000") },
	"day":   func(t time.Time) string { return t.UTC().Format("2 January 2006") },
	"stamp": func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
	"level": level,
	"size":  size,
	"count": count,
	"tail":  tail,
	"query": func(name, value string) template.URL { return template.URL(url.Values{name: {value}}.Encode()) },
}

// plain is s as a page may show it: at most limit characters, on one line, and with nothing in it that has no shape of
// its own or turns the direction of the text around it.
func plain(s string, limit int) string {
	var b strings.Builder
	n := 0
	for i, r := range s {
		if n == limit {
			fmt.Fprintf(&b, "… (%s more)", size(len(s)-i))
			break
		}
		n++
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Cf, r) && r != '\u200d':
			b.WriteRune('\uFFFD')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// tail is the end of a long id: ids made one after the other begin alike.
func tail(id string) string {
	all := []rune(id)
	if len(all) <= 16 {
		return plain(id, shortText)
	}
	return "…" + plain(string(all[len(all)-12:]), shortText)
}

// span tells milliseconds as people do: 0.4 ms, 12 ms, 1.24 s.
func span(ms float64) string {
	switch {
	case ms == 0:
		return "0 ms"
	case ms < 0.1:
		return "< 0.1 ms"
	case ms < 10:
		return trim(ms, 1) + " ms"
	case ms < 1000:
		return trim(ms, 0) + " ms"
	case ms < 100_000:
		return trim(ms/1000, 2) + " s"
	}
	return trim(ms/60_000, 1) + " min"
}

func trim(x float64, digits int) string {
	text := strconv.FormatFloat(x, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// percent tells a share of a whole.
func percent(share float64) string {
	switch {
	case share <= 0:
		return "0 %"
	case share < 0.001:
		return "< 0.1 %"
	case share < 0.1:
		return trim(share*100, 1) + " %"
	}
	return trim(share*100, 0) + " %"
}

func size(bytes int) string {
	switch {
	case bytes < 1000:
		return strconv.Itoa(bytes) + " B"
	case bytes < 1000_000:
		return trim(float64(bytes)/1000, 1) + " kB"
	}
	return trim(float64(bytes)/1000_000, 1) + " MB"
}

// count is n with its noun: "1 turn", "3 turns".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// level names the degradation level of a turn (WS2).
func level(n int) string {
	switch n {
	case 0:
		return "none"
	case 1:
		return "1 · spared"
	case 2:
		return "2 · failing"
	case 3:
		return "3 · breaker open"
	}
	return strconv.Itoa(n)
}

// inline shows an input of a decision: text as it is, anything else as JSON.
func inline(v any) string {
	if text, ok := v.(string); ok {
		return plain(text, shortText)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return plain(string(text), shortText)
}
