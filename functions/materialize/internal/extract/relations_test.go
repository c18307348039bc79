package extract

import "testing"

func TestRelations(t *testing.T) {
	hold(t, []example{
		{"My sister Lucía lives in Cuenca.", []string{"self sister Lucía", "Lucía lives_in Cuenca"}},
		{"My older brother, Tom, is a teacher.", []string{"self brother Tom", "Tom job teacher"}},
		{"My sister's name is Lucía.", []string{"self sister Lucía"}},
		{"My wife's name is Ana and we live in Quito.", []string{"self wife Ana", "self lives_in Quito"}},
		{"My brother is called Tom", []string{"self brother Tom"}},
		{"My daughter is Zoë.", []string{"self daughter Zoë"}},
		{"My best friend Ana is from Peru", []string{"self best_friend Ana", "Ana from Peru"}},
		{"My mother-in-law Rosa lives with us", []string{"self mother_in_law Rosa"}},
		{"I have a sister named Lucía", []string{"self sister Lucía"}},
		{"I have two kids named Ana and Luis.", []string{"self child Ana", "self child Luis"}},
		{"I have two sons, Ana and Luis.", []string{"self son Ana", "self son Luis"}},
		{"I've got a brother whose name is Tom", []string{"self brother Tom"}},
		{"We have a son and two daughters.", []string{"self has son", "self has daughter"}},
		{"Lucía is my sister", []string{"self sister Lucía"}},
		{"Tom was my boss", []string{"self boss Tom"}},
		{"I'm married to Ana", []string{"self spouse Ana"}},
		{"I'm dating Tom", []string{"self partner Tom"}},
		{"Actually, my mom works at Initech.", []string{"my mother works_for Initech"}},
		{"Mom works at Initech", []string{"my mother works_for Initech"}},
		{"Lucía is no longer my girlfriend", []string{"not self girlfriend Lucía"}},
		{"I broke up with my boyfriend", []string{"not self boyfriend"}},
		{"I got divorced", []string{"not self spouse", "not self wife", "not self husband"}},
		{"I have a dog named Rex", []string{"self dog Rex"}},
		{"We've got another cat called Bailey too", []string{"self cat Bailey"}},
		{"My dog is called Rex.", []string{"self dog Rex"}},
		{"My dog Rex loves carrots", []string{"self dog Rex", "Rex likes carrots"}},
		{"I adopted a cat named Miso", []string{"self cat Miso"}},
		{"We have a dog and two cats", []string{"self has dog", "self has cat"}},
	})
}
