package graph

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// OrderKey sorts the turns of a session: by time, then by turn id with its numbers taken as numbers, so that D3:7 comes
// before D3:10. It does not depend on the order in which turns arrive.
func OrderKey(t Turn) string {
	return fmt.Sprintf("%020d ", uint64(t.At().UnixMicro())+1<<63) + naturalKey(t.ID)
}

// naturalKey writes each run of digits behind its length: "D3:10" as "D\x013:\x0210".
func naturalKey(id string) string {
	var key strings.Builder
	for i := 0; i < len(id); {
		digits := len(id[i:]) - len(strings.TrimLeft(id[i:], "0123456789"))
		if digits == 0 {
			_, size := utf8.DecodeRuneInString(id[i:])
			key.WriteString(id[i : i+size])
			i += size
			continue
		}
		number := strings.TrimLeft(id[i:i+digits], "0")
		key.WriteByte(byte(len(number)))
		key.WriteString(number)
		i += digits
	}
	return key.String() + "\x00" + id // ids that differ in leading zeros alone still differ
}
