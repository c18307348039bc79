package extract

import "testing"

func TestLikes(t *testing.T) {
	hold(t, []example{
		{"I love the sea.", []string{"self likes sea"}},
		{"I really like spicy food and I hate olives", []string{"self likes spicy food", "self dislikes olives"}},
		{"I love swimming in the sea", []string{"self likes swimming in the sea"}},
		{"I like to paint", []string{"self likes paint"}},
		{"I love dogs and cats.", []string{"self likes dogs and cats"}},
		{"I love Lord of the Rings", []string{"self likes Lord of the Rings"}},
		{"I've always loved jazz", []string{"self likes jazz"}},
		{"I'm a big fan of jazz", []string{"self likes jazz"}},
		{"I'm passionate about dancing", []string{"self likes dancing"}},
		{"I don't like olives", []string{"self dislikes olives"}},
		{"I can't stand olives", []string{"self dislikes olives"}},
		{"I no longer like jazz", []string{"not self likes jazz"}},
		{"I am allergic to peanuts", []string{"self allergic_to peanuts"}},
		{"I'm vegan", []string{"self diet vegan"}},
		{"My favourite colour is blue", []string{"self favourite_colour blue"}},
		{"My favorite book is The Hobbit.", []string{"self favourite_book The Hobbit"}},
		{"Harry Potter is my favorite book", []string{"self favourite_book Harry Potter"}},
	})
}
