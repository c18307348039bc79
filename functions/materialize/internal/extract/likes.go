package extract

import (
	"regexp"

	"github.com/aguante-chat/aguante/shared/graph"
)

// likeRules: "I love the sea", "she hates olives", "I'm a big fan of jazz", "I am into climbing", "I enjoy painting".
var likeRules = []rule{
	liking(`^(?:like|likes|liked|love|loves|loved|enjoy|enjoys|enjoyed|adore|adores|prefer|prefers)(?: really| also)? `, "likes"),
	liking(`^(?:hate|hates|hated|dislike|dislikes|disliked|detest|detests|can't stand|cannot stand|can’t stand) `, "dislikes"),
	liking(`^(?:am|is|are) (?:a |an )?(?:big |huge |great |real )?(?:fan of|fond of|crazy about|passionate about|obsessed with|keen on|into) `, "likes"),
	liking(`^(?:am|is) allergic to `, "allergic_to"),
}

var disliked = regexp.MustCompile(`^(?:like|love|enjoy|eat|drink) (?:the |a |an |any )?` + thing + stop)

// pointing is no thing to like.
var pointing = regexp.MustCompile(`^(?:it|him|her|them|you|this|that|these|those|us|me|how|when|what|your|his|their|to be|being|so|doing this|one|ones|everything|something|anything|nothing)\b`)

func liking(verb, relation string) rule {
	return rule{pattern: regexp.MustCompile(verb + `(?:the |a |an |my |all |to |some )?` + thing + stop), last: true,
		draw: func(c *clauseDrawing, m []string) {
			if !pointing.MatchString(m[0]) {
				c.tell(relation, m[0], false, graph.Thing)
			}
		}}
}
