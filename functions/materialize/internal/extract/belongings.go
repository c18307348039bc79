package extract

// belongingRules: "we have a car", "she bought a red bike", "I own a bakery", "I sold my car".
var belongingRules = []string{
	`have~|own~|bought|purchased|inherited|got|rent~|run~|running|opened|drive~|ride~ [got] [also|just|recently|finally] a|an|one|two|three|my|our|his|her [own] {belonging:has}`,
	`own~ a|an|two|three {thing:has}`,
	`sold|crashed|lost|returned|donated my|our|his|her|their|the {belonging:-has}`,
	`gave away my|our|his|her|their|the {belonging:-has}`,
	`got rid of my|our|his|her|their|the {belonging:-has}`,
	`play~|playing [the] {game:plays} [and [the] {game:plays}]`,
	`can play [the] {game:plays} [and [the] {game:plays}]`,
	`speak~ [fluent|some] {person:speaks} [and|, [and] {person:speaks}]`,
	`can speak [fluent|some] {person:speaks} [and|, [and] {person:speaks}]`,
	`is|are {colour:colour} $`,
}

// belongings are what one owns and sells; the fact is about the last of these words, "car" in "a red sports car".
const belongings = `car, cars, bike, bikes, bicycle, motorbike, motorcycle, scooter, van, truck, boat, house, home, flat, apartment,
cabin, cottage, farm, garden, phone, smartphone, laptop, computer, tablet, camera, guitar, piano, keyboard, violin, drum kit, telescope,
bakery, shop, store, restaurant, cafe, café, company, business, startup, studio, dance studio, gym, tent, caravan, camper van, kayak,
canoe, surfboard, skateboard, watch, ring, necklace, record player, sewing machine, motorhome, tractor, vineyard, allotment`

const games = `guitar, piano, violin, drums, bass, cello, flute, saxophone, sax, trumpet, clarinet, harp, ukulele, banjo, accordion, keyboard,
organ, trombone, oboe, viola, harmonica, football, soccer, tennis, basketball, baseball, volleyball, hockey, golf, chess, badminton, rugby,
cricket, squash, handball, table tennis, poker, bridge, video games, board games`

const colours = `red, blue, green, yellow, black, white, grey, gray, orange, purple, pink, brown, silver, gold, turquoise, beige`
