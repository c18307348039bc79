package extract

import "testing"

func TestNames(t *testing.T) {
	hold(t, []example{
		{"My name is Ana.", []string{"self name Ana"}},
		{"my name is ana", []string{"self name ana"}},
		{"My name's José Luis de la Cruz and I live in São Paulo", []string{"self name José Luis de la Cruz", "self lives_in São Paulo"}},
		{"My full name is Mary O'Brien-Smith.", []string{"self name Mary O'Brien-Smith"}},
		{"Hi, I'm José Luis, nice to meet you!", []string{"self name José Luis"}},
		{"Hi, I’m Zoë", []string{"self name Zoë"}},
		{"I'm Sebastian", []string{"self name Sebastian"}},
		{"I am Ана.", []string{"self name Ана"}},
		{"Hi, I'm Dutch!", []string{}},
		{"Please call me Max", []string{"self nickname Max"}},
		{"Everyone calls me Max.", []string{"self nickname Max"}},
		{"I go by Max", []string{"self nickname Max"}},
		{"My nickname is Max", []string{"self nickname Max"}},
	})
}
