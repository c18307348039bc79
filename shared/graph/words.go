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
el la los las un una unos unas y e o u de del al en con por para que se su sus lo le les mi mis tu tus es son era fue no si
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
adoption:adopt adoptive:adopt painting:paint painter:paint paintings:paint`)

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
