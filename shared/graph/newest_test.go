package graph_test

import (
	"testing"

	"github.com/aguante-chat/aguante/shared/graph"
)

func TestOnlyWhatAsksForNothingInParticularIsAnsweredByTheNewest(t *testing.T) {
	for text, want := range map[string]bool{
		"What do you know about me?":        true,
		"what do you remember":              true,
		"Tell me everything about myself!":  true,
		"What have I told you so far?":      true,
		"¿Qué recuerdas de mí?":             true,
		"What do you know about my sister?": false,
		"Tell me a joke":                    false,
		"Do you remember Lucía?":            false,
		"the of and":                        false,
		"?!":                                false,
		"":                                  false,
	} {
		if got := graph.Newest(graph.Query{Text: text}); got != want {
			t.Errorf("Newest(%q) = %v, want %v", text, got, want)
		}
	}
}
