package phrase

import (
	"strconv"
	"strings"
)

// Date reads a day, a month or a year: "3 May 1990", "the 3rd of May", "May 3rd, 1990", "June 2020", "2020-05-03", "1990".
// A month alone counts when it is written with a capital.
func Date(s *Sentence, at int) (end int, date string) {
	start := at
	if s.Low(at) == "the" {
		start++
	}
	switch {
	case day(s.Low(start)):
		end = start + 1
		if s.Low(end) == "of" {
			end++
		}
		if !s.month(end) {
			return at, ""
		}
		end = s.withYear(end + 1)
	case s.month(start):
		end = start + 1
		if day(s.Low(end)) {
			end++
		}
		end = s.withYear(end)
	case iso(s.Low(start)) || year(s.Low(start)):
		end = start + 1
	default:
		return at, ""
	}
	return end, s.Span(start, end)
}

func (s *Sentence) month(i int) bool {
	return months[s.Low(i)] && (s.Words[i].Capital || s.Casual && s.Low(i) != "may" && s.Low(i) != "march")
}

func (s *Sentence) withYear(end int) int {
	if year(s.Low(end)) {
		return end + 1
	}
	if s.Low(end) == "," && year(s.Low(end+1)) {
		return end + 2
	}
	return end
}

func day(low string) bool {
	low = strings.TrimRight(low, "stndrh")
	n, err := strconv.Atoi(low)
	return err == nil && n >= 1 && n <= 31 && len(low) <= 2
}

func year(low string) bool {
	n, err := strconv.Atoi(low)
	return err == nil && len(low) == 4 && n >= 1800 && n <= 2199
}

// iso is 2020-05-03, or 3/5/1990 in whichever order of day and month.
func iso(low string) bool {
	return digits(low, "dddd-dd-dd") || digits(low, "d/d/dddd") || digits(low, "dd/d/dddd") ||
		digits(low, "d/dd/dddd") || digits(low, "dd/dd/dddd")
}

func digits(low, shape string) bool {
	if len(low) != len(shape) {
		return false
	}
	for i := range len(low) {
		if isDigit := low[i] >= '0' && low[i] <= '9'; isDigit != (shape[i] == 'd') || !isDigit && low[i] != shape[i] {
			return false
		}
	}
	return true
}
