package extract

import (
	"github.com/aguante-chat/aguante/functions/materialize/internal/phrase"
)

// likeRules: "I love the sea", "she hates olives", "I'm a big fan of jazz". One does not like and dislike the same thing.
var likeRules = []string{
	`like~|love~|enjoy~|adore~|prefer~ {activity:likes,-dislikes}`,
	`have~ [always] liked|loved|enjoyed|adored {activity:likes,-dislikes}`,
	`have~ [always] hated|disliked {activity:dislikes,-likes}`,
	`hate~|dislike~|detest~|loathe~ {activity:dislikes,-likes}`,
	`can not stand {activity:dislikes,-likes}`,
	`am|is|are a [big|huge|great|real|massive] fan of {activity:likes,-dislikes}`,
	`am|is|are fond of {activity:likes,-dislikes}`,
	`am|is|are crazy|passionate about {activity:likes,-dislikes}`,
	`am|is|are keen on {activity:likes,-dislikes}`,
	`am|is|are [really|totally] into {activity:likes,-dislikes}`,
	`am|is|are allergic to {thing:allergic_to} [and {thing:allergic_to}] $`,
	`am|is|are allergic to {thing:allergic_to}`,
	`am|is|are a [strict] {diet:diet} $`,
	`am|is|are [strictly] {diet:diet} $`,
	`is|are my|our [all-time|absolute] favourite|favorite {noun:<favourite_@} $`,
}

// denialRules are read behind a "not" or "never": "I don't like olives".
var denialRules = []string{
	`like|love|enjoy|eat|drink|liked|loved|enjoyed {activity:dislikes,-likes}`,
}

// favourites follow "my": "favourite colour is blue".
var favourites = []string{
	`[all-time|absolute] favourite|favorite {noun} is|are|was|remains [still|probably|definitely] {activity:favourite_@}`,
}

const diets = `vegan, vegetarian, pescatarian`

// vague is what a conversation is about at the moment rather than what somebody likes: "I love the idea".
var vague = set(`way idea fact part look feeling vibe vibes energy message plan view sound thought sight quote quotes color colors
colour colours details design picture photo pic painting piece story connection freedom theme themes detail name texture
spirit attitude enthusiasm passion support advice suggestion concept atmosphere`)

var parts = set("part parts thing things one ones bit moment moments scene line")

// favourite is what one has a favourite of, for good: not the favourite part of what is talked about.
func favourite(s *phrase.Sentence, at int) (int, string) {
	end, value := phrase.Noun(s, at)
	if parts[s.Low(end-1)] {
		return at, ""
	}
	return end, value
}

// liked is an activity or thing that somebody may like: not "the idea", not "your hat".
func liked(s *phrase.Sentence, at int) (int, string) {
	end, value := phrase.Activity(s, at)
	if end > at && s.Low(at) == "the" {
		if vague[s.Low(end-1)] || vague[s.Low(at+1)] || !s.Ends(end) {
			return at, ""
		}
	}
	if end > at && s.Low(end) == "and" { // "dark chocolate and berry ice cream" are liked as said
		if last, more := phrase.Thing(s, end+1); last > end+1 && s.Ends(last) {
			end, value = last, value+" and "+more
		}
	}
	return end, value
}
