package extract

import "testing"

func TestBelongings(t *testing.T) {
	hold(t, []example{
		{"I bought a red car", []string{"self has car"}},
		{"We have a small house", []string{"self has house"}},
		{"I own a vineyard in Loja", []string{"self has vineyard"}},
		{"My mother runs a bakery", []string{"my mother has bakery"}},
		{"I sold my old car.", []string{"not self has car"}},
		{"I don't have a car anymore", []string{"not self has car"}},
		{"My bike is dark red", []string{"my bike colour dark red"}},
		{"She said hi. I play the guitar", []string{"self plays guitar"}},
		{"I can play the piano", []string{"self plays piano"}},
		{"I speak Spanish and English", []string{"self speaks Spanish", "self speaks English"}},
	})
}
