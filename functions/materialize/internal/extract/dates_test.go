package extract

import "testing"

func TestDates(t *testing.T) {
	hold(t, []example{
		{"My birthday is on 3 May.", []string{"self birthday 3 May"}},
		{"My birthday is May 3rd, 1990", []string{"self birthday May 3rd, 1990"}},
		{"My birthday's on the 3rd of May, and my sister's birthday is in June.", []string{"self birthday 3rd of May", "my sister birthday June"}},
		{"Lucía's birthday is 2001-05-03", []string{"Lucía birthday 2001-05-03"}},
		{"I was born on 3 May 1990", []string{"self born_on 3 May 1990"}},
		{"I was born in 1990.", []string{"self born_on 1990"}},
		{"Our wedding anniversary is on June 5", []string{"self anniversary June 5"}},
		{"We got married on 12 June 2015", []string{"self wedding 12 June 2015"}},
		{"I'm 34", []string{"self age 34"}},
		{"My daughter turned 5 yesterday", []string{"my daughter age 5"}},
		{"My son Leo is 7 years old and loves football", []string{"self son Leo", "Leo age 7", "Leo likes football"}},
	})
}
