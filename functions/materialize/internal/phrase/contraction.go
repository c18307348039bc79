package phrase

import "strings"

// tails are what follows an apostrophe in a contraction. "'s" stays: it may be "is", "has" or a possessive.
var tails = map[string]string{"m": "am", "re": "are", "ve": "have", "ll": "will", "d": "would", "s": "'s"}

// unmarked are contractions written without their apostrophe, by the length of their tail.
var unmarked = map[string]int{"im": 1, "ive": 2, "dont": 2, "doesnt": 2, "didnt": 2, "isnt": 2, "wasnt": 2, "havent": 2, "hasnt": 2, "cant": 1}

var irregularNot = map[string]string{"ca": "can", "wo": "will", "sha": "shall", "ai": "is"}

// contraction takes a lower-case word apart: "don't" into "do" and "not". What is none has no tail.
func contraction(low string) (head, tail string) {
	if n := unmarked[low]; n > 0 {
		head, tail = low[:len(low)-n], "not"
		if head == "i" {
			tail = tails[low[1:]]
		}
		return head, tail
	}
	at, size := apostrophe(low)
	if at <= 0 {
		return low, ""
	}
	if rest := low[at+size:]; rest == "t" && low[at-1] == 'n' && at > 1 {
		head = strings.TrimSuffix(low[:at], "n")
		if whole, ok := irregularNot[head]; ok {
			head = whole
		}
		return head, "not"
	}
	return low[:at], tails[low[at+size:]]
}

// tailLength is how many bytes of a contraction its tail takes.
func tailLength(low string) int {
	if n := unmarked[low]; n > 0 {
		return n
	}
	at, size := apostrophe(low)
	if low[at+size:] == "t" {
		at--
	}
	return len(low) - at
}

func apostrophe(low string) (at, size int) {
	if at = strings.LastIndexByte(low, '\''); at >= 0 {
		return at, 1
	}
	return strings.LastIndex(low, "’"), len("’")
}

// Set makes a set of the words of a list.
func Set(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}
