package graph

import "strings"

// stopWords carry no meaning of their own, in English and Spanish.
var stopWords = set(`a an the and or but if then so than that this these those of to in on at by for from with about as into
over after before between through during without within out up down off again once here there all any both each few more
most other some such no nor not only own same too very can will just do does did doing done don didn doesn isn aren wasn
weren won wouldn couldn shouldn hasn haven hadn would could should shall may might must is am are was were be been being
have has had having i me my mine myself we us our ours ourselves you your yours yourself he him his himself she her hers
herself it its itself they them their theirs themselves what which who whom whose when where why how s t ll ve re d m o y
hey hi hello wow yeah yes yep ok okay oh thanks thank please really also get got
el la los las un una unos unas y e o u de del al en con por para que se su sus lo le les mi mis tu tus es era fue no si
como mas pero cuando donde quien cual muy ya esta este esto`)

// irregular leads the forms that Snowball cannot join to their root.
var irregular = pairs(`ate:eat eaten:eat began:begin begun:begin bought:buy bring:bring brought:bring built:build came:come
caught:catch chose:choose chosen:choose drew:draw drawn:draw drank:drink drunk:drink drove:drive driven:drive felt:feel
fell:fall fallen:fall flew:fly flown:fly forgot:forget found:find gave:give given:give gone:go went:go going:go grew:grow
grown:grow heard:hear held:hold kept:keep knew:know known:know led:lead left:leave lost:lose made:make making:make
meant:mean met:meet paid:pay ran:run rode:ride ridden:ride said:say sang:sing sung:sing saw:see seen:see sent:send
shown:show slept:sleep sold:sell sought:seek spent:spend spoke:speak spoken:speak stood:stand swam:swim swum:swim taken:take
took:take taught:teach thought:think threw:throw thrown:throw told:tell understood:understand woke:wake won:win wore:wear
worn:wear wrote:write written:write children:child kids:child kid:child men:man women:woman people:person feet:foot
teeth:tooth mice:mouse wives:wife mom:mother mum:mother moms:mother dad:father dads:father grandma:grandmother
grandpa:grandfather bike:bicycle bikes:bicycle photo:picture photos:picture pic:picture pics:picture tv:television
height:tall weight:weigh wedding:marry grey:gray theatre:theater centre:center broke:break broken:break fed:feed fought:fight hid:hide
hung:hang lent:lend stole:steal stolen:steal bit:bite bitten:bite blew:blow shook:shake tore:tear stuck:stick scared:afraid
adoption:adopt adoptive:adopt painting:paint painter:paint paintings:paint`)

// askedBy are words that ask for a relation and are not in its name: "What is my profession?" asks for a job.
var askedBy = map[string]string{
	"job": "work profession occupation career", "works_for": "job employer company office", "teaches": "job work profession", "studies": "major degree subject",
	"studies_at": "school university college", "lives_in": "home city country town", "born_on": "birthday age", "age": "old",
	"from": "country origin hometown", "born_in": "hometown", "grew_up_in": "hometown childhood",
	"likes": "enjoy love hobby interest fan", "dislikes": "hate", "diet": "eat food", "allergic_to": "allergy eat",
	"wife": "spouse married name", "husband": "spouse married name", "spouse": "wife husband married",
	"partner": "boyfriend girlfriend dating", "boyfriend": "partner dating", "girlfriend": "partner dating",
	"mother": "parent family", "father": "parent family", "sister": "sibling family", "brother": "sibling family",
	"son": "child family", "daughter": "child family", "child": "son daughter family",
	"dog": "pet animal", "cat": "pet animal", "rabbit": "pet animal", "hamster": "pet animal", "parrot": "pet animal bird",
	"horse": "pet animal", "turtle": "pet animal", "name": "called", "nickname": "name called", "graduated_from": "university school college degree", "has": "own",
}

func set(words string) map[string]bool {
	s := map[string]bool{}
	for _, w := range strings.Fields(words) {
		s[w] = true
	}
	return s
}

func pairs(list string) map[string]string {
	m := map[string]string{}
	for _, pair := range strings.Fields(list) {
		form, root, _ := strings.Cut(pair, ":")
		m[form] = root
	}
	return m
}
