package extract

import "testing"

func TestJobs(t *testing.T) {
	hold(t, []example{
		{"I work as a nurse at Mercy Hospital.", []string{"self job nurse", "self works_for Mercy Hospital"}},
		{"I'm a senior software engineer at Initech", []string{"self job senior software engineer", "self works_for Initech"}},
		{"Lucía's a nurse", []string{"Lucía job nurse"}},
		{"I work at Initech", []string{"self works_for Initech"}},
		{"I work for H&M as a designer", []string{"self works_for H&M", "self job designer"}},
		{"I have been working at Initech for years", []string{"self works_for Initech"}},
		{"My mother works in a small bakery", []string{"my mother works_for bakery"}},
		{"My sister Eva got a job at Initech", []string{"self sister Eva", "Eva works_for Initech"}},
		{"I got a new job as a barista", []string{"self job barista"}},
		{"My job is teaching", []string{"self job teaching"}},
		{"I quit my job at Initech", []string{"not self works_for Initech", "not self job"}},
		{"I lost my job, sadly", []string{"not self works_for", "not self job"}},
		{"I got laid off", []string{"not self works_for", "not self job"}},
		{"I no longer work at Initech", []string{"not self works_for Initech"}},
		{"I stopped working at Initech", []string{"not self works_for Initech"}},
		{"I used to work as a nurse", []string{"not self job nurse"}},
		{"I'm retired", []string{"self job retired", "not self works_for"}},
		{"I study law at Yale", []string{"self studies law", "self studies_at Yale"}},
		{"I graduated from the University of Cuenca", []string{"self graduated_from University of Cuenca"}},
	})
}
