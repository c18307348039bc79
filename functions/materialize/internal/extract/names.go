package extract

import "strings"

// nameRules: "I go by Max". "I'm Ana" is read by introduces.
var nameRules = []string{
	`go~ by {firstname:nickname}`,
}

// callRules need no subject: "Call me Max".
var callRules = []string{
	`call me {firstname:nickname}`,
	`you|people|friends|everyone|everybody can|may call me {firstname:nickname}`,
	`people|friends|everyone|everybody|they all|mostly|usually call~ me {firstname:nickname}`,
	`people|friends|everyone|everybody|they call~ me {firstname:nickname}`,
}

// called follows "my" or "my sister's": "name is Ana".
var called = []string{
	`name is {firstname:name} $`,
	`name is {person:name}`,
	`full|real|first name is {person:name}`,
	`nickname is {firstname:nickname}`,
	`friends|family call me {firstname:nickname}`,
}

// peoples are what "I'm …" says of where one belongs rather than who one is, where the endings do not tell.
var peoples = set(`german american mexican french dutch greek swiss thai czech arab catholic muslim hindu buddhist atheist
african european cuban korean jew latina latino black white asian indian texan puerto team democrat republican aries taurus
gemini cancer leo virgo libra scorpio sagittarius capricorn aquarius pisces batman`)

// given are names that end like the name of a people.
var given = set(`sebastian adrian brian ian julian damian fabian vivian lillian jillian gillian cillian florian christian bastian
cristian kian dorian marian maximilian sean dean jean`)

// describes tells whether a capitalised word behind "I'm" says what somebody is rather than who: "Spanish". After a
// greeting an ending alone does not.
func describes(name string, greeted bool) bool {
	first, _, _ := strings.Cut(strings.ToLower(name), " ")
	if given[first] || greeted {
		return peoples[first]
	}
	for _, ending := range []string{"ish", "ese", "ian", "ean", "ican"} {
		if strings.HasSuffix(first, ending) {
			return true
		}
	}
	return peoples[first]
}
