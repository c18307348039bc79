package extract

// placeRules: "I live in Cuenca", "she moved from Loja to Quito", "he is from Peru", "I was born in Lima".
var placeRules = []string{
	`live~|living|reside~|residing [here|alone|together|now|happily] [with my|our|his|her {relation}] in {place:lives_in}`,
	`am|is|are based in {place:lives_in}`,
	`have~ [always] lived in {place:lives_in} for|since|all`,
	`lived in {place:lived_in}`,
	`moved|relocated [back|over|out|up|down] from {place:-lives_in} to {place:lives_in}`,
	`moved|relocated [back|over|out|up|down] to {place:lives_in} from {place:-lives_in}`,
	`moved|relocated [back|over|out|up|down] to {place:lives_in}`,
	`moved|relocated [away|out|here|over] from|of {place:-lives_in}`,
	`left {place:-lives_in} for {place:lives_in}`,
	`am|is|are [originally] from {place:from}`,
	`come~|hail~ [originally] from {place:from}`,
	`was|were born [and raised] in {place:born_in} on|in {date:born_on}`,
	`was|were born on|in {date:born_on} [in {place:born_in}]`,
	`was|were born [and raised] in {place:born_in}`,
	`was|were raised in {place:grew_up_in}`,
	`grew up in {place:grew_up_in}`,
	`visited|toured {place:visited}`,
	`went|travelled|traveled|flew|been [back] to {place:visited}`,
}
