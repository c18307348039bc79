package extract

// dateRules: "we got married on 3 May", "I turned 30", "she is 34 years old".
var dateRules = []string{
	`got|was|were|are|am|is|getting [getting] married [to {person:spouse}] on|in {date:wedding}`,
	`graduated [from {group:graduated_from}] in|on {date:graduated_on}`,
	`am|is|are {number:age} years old`,
	`am|is {number:age} $`,
	`turned [just] {number:age} $`,
}

// anniversaries follow "my" or "my sister's": "birthday is on 3 May".
var anniversaries = []string{
	`birthday is|falls [on|in] {date:birthday}`,
	`date of birth is {date:birthday}`,
	`birth date is {date:birthday}`,
	`[wedding] anniversary is|falls [on|in] {date:anniversary}`,
	`wedding is|was|day is|was [on|in] {date:wedding}`,
	`wedding is|was [on|in] {date:wedding}`,
}
