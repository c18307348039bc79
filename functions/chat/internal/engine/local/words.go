package local

import "strings"

func set(words string) map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(words) {
		all[w] = true
	}
	return all
}

// Word lists. They are short on purpose: a word that is missing makes an answer stiff, not wrong.
var (
	adverbs       = set("really also never always just still once often usually sometimes actually already definitely probably recently finally currently only even ever not now")
	auxiliaries   = set("am are is was were be been do does did don't doesn't didn't have has had haven't hasn't hadn't can can't could couldn't will won't would wouldn't shall should shouldn't may might must aren't weren't isn't wasn't")
	saying        = set("said say told tell mentioned asked know knew remember think thought gave give want wanted promised recommended suggested helped need like love live work")
	prepositions  = set("to for with from about of like at by on near behind beside before after around without than between")
	conjunctions  = set("and but or so because that if when while then though although")
	subordinators = set("what where when who how why which whether as since until unless")
	questionWords = set("what where when who whom whose which why how what's where's who's when's how's")

	// opens are words that have a capital only because they open a sentence.
	opens = set(`the a an this that these those there here it it's its he he's she she's they they're them his her their
		you you're you've you'd you'll your yours yourself we we're our my i in on at for from with without to of by as when
		whenever while if after before since because although though until yesterday today tomorrow tonight last next
		every each some many most both all no nothing everything everyone someone one two three four five six seven eight
		nine ten another other then so maybe perhaps soon later during over under between about around what where who how
		and but or not yes please thanks once twice half`)

	// english are words that show that a text is English, alien such that show that it is not.
	english = set(`i i'm i've my me the is are was were and of to have has had with that this it not for at from she he we
		they our his her you your like likes love lives live in on work works named called`)
	alien = set(`el los las mi mis es en de que y un una con por para vive tengo soy está muy le les des est et je mon ma
		mes une dans der die das und ist ich mein meine nicht ein eine il lo gli sono che di per o os meu minha eu não`)
)

// concepts are groups of words that ask and answer the same: "where does she live?", "she moved to Cuenca".
var concepts = func() map[string]string {
	groups := []string{
		"live lives lived living move moves moved moving reside resides resided home settle settled",
		"like likes liked love loves loved enjoy enjoys enjoyed prefer prefers preferred favourite favorite adore adores fond hobby hobbies",
		"dislike dislikes hate hates hated detest",
		"name names named called",
		"work works worked working job jobs profession occupation career employer employed",
		"old age",
		"birthday born birth",
		"marry married marries",
		"allergic allergy allergies",
		"want wants wanted wish hope hopes plan plans planned planning",
	}
	of := map[string]string{}
	for _, group := range groups {
		words := strings.Fields(group)
		for _, w := range words {
			of[w] = words[0]
		}
	}
	return of
}()
