package extract

import (
	"maps"
	"strings"
)

// relations are the words for people and animals that belong to somebody, by the relation they stand for.
var relations = merged(kin, pairs(`friend:friend friends:friend buddy:friend best_friend:best_friend roommate:roommate
flatmate:roommate housemate:roommate neighbour:neighbour neighbor:neighbour boss:boss manager:boss colleague:colleague
coworker:colleague co-worker:colleague teacher:teacher coach:coach mentor:mentor therapist:therapist doctor:doctor
landlord:landlord landlady:landlord partner:partner boyfriend:boyfriend girlfriend:girlfriend`))

// kin are those that one says to have: "I have a sister", "we have two dogs".
var kin = pairs(`sister:sister sisters:sister sis:sister brother:brother brothers:brother bro:brother sibling:sibling siblings:sibling
twin:twin mother:mother mom:mother mum:mother mama:mother father:father dad:father papa:father parents:parents
son:son sons:son daughter:daughter daughters:daughter kid:child kids:child child:child children:child baby:child
wife:wife husband:husband spouse:spouse fiancé:fiancé fiancée:fiancée fiance:fiancé fiancee:fiancée
aunt:aunt aunts:aunt uncle:uncle uncles:uncle cousin:cousin cousins:cousin niece:niece nieces:niece nephew:nephew nephews:nephew
grandmother:grandmother grandma:grandmother granny:grandmother nana:grandmother grandfather:grandfather grandpa:grandfather
grandson:grandson granddaughter:granddaughter stepmother:stepmother stepfather:stepfather stepson:stepson stepdaughter:stepdaughter
mother-in-law:mother_in_law father-in-law:father_in_law sister-in-law:sister_in_law brother-in-law:brother_in_law
mother_in_law:mother_in_law father_in_law:father_in_law sister_in_law:sister_in_law brother_in_law:brother_in_law
dog:dog dogs:dog puppy:dog puppies:dog pup:dog cat:cat cats:cat kitten:cat kittens:cat kitty:cat rabbit:rabbit bunny:rabbit
hamster:hamster guinea_pig:guinea_pig parrot:parrot budgie:budgie canary:canary horse:horse pony:pony goldfish:goldfish
turtle:turtle turtles:turtle tortoise:tortoise snake:snake lizard:lizard gecko:gecko ferret:ferret pet:pet pets:pet`)

// pets are the relations that are no people.
var pets = set(`dog cat rabbit hamster guinea_pig parrot budgie canary horse pony goldfish turtle tortoise snake lizard gecko ferret pet`)

// adjectives may stand before a relation or a belonging.
var adjectives = set(`older younger little big twin elder eldest youngest oldest dear dearest late half new old other lovely
beloved close good sweet beautiful amazing only first second own`)

// relationRules: "Lucía is my sister", "I have a sister named Lucía", "my brother is called Tom", "I'm married to Ana".
var relationRules = []string{
	`is|was called|named {firstname:name}`,
	`am|are called|named {firstname:nickname}`,
	`is|was|are my|our [` + anyAdjective + `] {relation:<@}`,
	`my|our {relation:<@}`, // behind "is no longer"
	`have~|'s|got [got] ` + several + ` [` + anyAdjective + `] {relation} [,] named|called {person:@} [and|, [and] {person:@}]`,
	`have~|'s|got [got] ` + several + ` [` + anyAdjective + `] {relation} whose name is {person:@}`,
	`have~|'s|got [got] ` + several + ` [` + anyAdjective + `] {kin} , {person:@} [and|, [and] {person:@}] $`,
	`have~|'s|got [got] ` + several + ` [` + anyAdjective + `] {kin:has} [and ` + several + ` [` + anyAdjective + `] {kin:has}] $`,
	`adopted|rescued|got|bought [also|just|recently] ` + several + ` [` + anyAdjective + `] {kin} [,] named|called {person:@} [and {person:@}]`,
	`adopted|rescued [also|just|recently] ` + several + ` [` + anyAdjective + `] {kin:has} $`,
	`am|is|are|was|got|get~ married to {person:spouse}`,
	`am|is|are|was|got|get~ engaged to {person:fiancé}`,
	`married {person:spouse}`,
	`am|is|are dating {person:partner}`,
	`broke|split up with my|his|her|their [ex] {relation} !-@`,
	`divorced my|his|her {relation} !-@`,
	`broke|split up with {person:-partner,-boyfriend,-girlfriend,-spouse,-wife,-husband}`,
	`separated|divorced [from] {person:-partner,-boyfriend,-girlfriend,-spouse,-wife,-husband}`,
	`am|is|are|got divorced !-spouse !-wife !-husband`,
}

const several = `a|an|another|one|two|three|four|five|2|3|4|5`

const anyAdjective = `older|younger|little|big|twin|elder|new|old|good|close|great|dear|best|cute|beautiful|lovely|sweet|small|wonderful`

func merged(some ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range some {
		maps.Copy(all, m)
	}
	return all
}

// pairs reads "word:value" pairs; in a word an underscore is a space.
func pairs(list string) map[string]string {
	all := map[string]string{}
	for p := range strings.FieldsSeq(list) {
		word, value, _ := strings.Cut(p, ":")
		all[strings.ReplaceAll(word, "_", " ")] = value
	}
	return all
}
