package extract

import "testing"

func TestPlaces(t *testing.T) {
	hold(t, []example{
		{"I live in San Francisco, California.", []string{"self lives_in San Francisco, California"}},
		{"I live in the Netherlands with my wife", []string{"self lives_in Netherlands"}},
		{"We're living in St. Louis now", []string{"self lives_in St. Louis"}},
		{"I am based in Rio de Janeiro.", []string{"self lives_in Rio de Janeiro"}},
		{"I've lived in Quito since 2010", []string{"self lives_in Quito"}},
		{"I lived in Quito for ten years", []string{"self lived_in Quito"}},
		{"I moved to Quito last year", []string{"self lives_in Quito"}},
		{"I moved from Loja to Quito", []string{"not self lives_in Loja", "self lives_in Quito"}},
		{"We moved here from Sweden 4 years ago", []string{"not self lives_in Sweden"}},
		{"I no longer live in Loja", []string{"not self lives_in Loja"}},
		{"I don't live in Loja anymore", []string{"not self lives_in Loja"}},
		{"I used to live in Loja", []string{"not self lives_in Loja"}},
		{"I'm originally from Perú", []string{"self from Perú"}},
		{"She said hi. I come from 東京, I was born in Lima", []string{"self born_in Lima"}},
		{"I was born in Lima on 3 May 1990", []string{"self born_in Lima", "self born_on 3 May 1990"}},
		{"I was born and raised in Lima", []string{"self born_in Lima"}},
		{"I grew up in New York City.", []string{"self grew_up_in New York City"}},
		{"I've been to Paris twice", []string{"self visited Paris"}},
		{"We went to Peru in June", []string{"self visited Peru"}},
	})
}
