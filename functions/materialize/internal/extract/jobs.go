package extract

// jobRules: "I work as a nurse at Mercy Hospital", "he is a teacher", "I quit my job at Initech", "I study law at Yale".
var jobRules = []string{
	`work~|working [now|part-time|full-time] as a|an|the {post:job} [at|for|with|in [the|a] {group:works_for}]`,
	`work~|working [now|part-time|full-time] at|for|with [the] {group:works_for} as a|an|the {post:job}`,
	`work~|working [now|part-time|full-time] at|for|with [the] {group:works_for}`,
	`work~|working [now|part-time|full-time] at|for|in a|an [local|small|big] {workplace:works_for}`,
	`am|is|are|became a|an [retired] {job:job} [at|for|with [the] {group:works_for}]`,
	`got|was|were|been promoted to {post:job}`,
	`got|have~|landed|found|started|took|accepted a [new] job as a|an {post:job} [at|with|for [the] {group:works_for}]`,
	`got|have~|landed|found|started|took|accepted a [new] job at|with|for [the] {group:works_for}`,
	`quit|left|lost|resigned [from] my|his|her|their|the [old] job at|with [the] {group:-works_for} !-job`,
	`quit|left|lost|resigned [from] my|his|her|their|the [old] job !-works_for !-job`,
	`got|was|were|been fired|laid [off] !-works_for !-job`,
	`is|am {retired:job} !-works_for`,
	`{retired:job} [from [the] {group:-works_for}] !-works_for`,
	`study|studies|studying|major~|majoring [in] {field:studies} [at [the] {group:studies_at}]`,
	`study|studies|studying at [the] {group:studies_at}`,
	`teach~|teaching {field:teaches} [at [the] {group:works_for}]`,
	`go~|going to {school:studies_at}`,
	`went|been to [the] {school:studied_at}`,
	`graduated from [the] {group:graduated_from}`,
}

// occupations follow "my" or "my sister's": "job is teaching".
var occupations = []string{
	`job|profession|occupation is [being] {post:job} $`,
}

// jobs are the words that make "I'm a …" an occupation: "I'm a nurse" is one, "I'm a bit tired" is none.
const jobs = `nurse, doctor, teacher, professor, lecturer, tutor, engineer, developer, programmer, designer, architect, artist,
painter, sculptor, writer, author, poet, novelist, journalist, reporter, editor, photographer, filmmaker, screenwriter, musician,
singer, songwriter, guitarist, pianist, drummer, violinist, dancer, choreographer, actor, actress, comedian, chef, cook, baker,
waiter, waitress, barista, bartender, driver, pilot, flight attendant, mechanic, electrician, plumber, carpenter, builder, welder,
farmer, gardener, florist, firefighter, policeman, policewoman, police officer, detective, soldier, veteran, lawyer, attorney,
paralegal, judge, accountant, banker, auditor, consultant, manager, director, analyst, administrator, scientist, researcher,
biologist, chemist, physicist, mathematician, statistician, economist, historian, geologist, astronomer, psychologist, psychiatrist,
therapist, physiotherapist, counselor, counsellor, social worker, dentist, surgeon, vet, veterinarian, pharmacist, paramedic,
midwife, carer, caregiver, nanny, babysitter, hairdresser, barber, tailor, stylist, secretary, receptionist, librarian, translator,
interpreter, salesman, saleswoman, salesperson, cashier, shopkeeper, entrepreneur, freelancer, contractor, student, intern,
apprentice, politician, mayor, priest, pastor, nun, monk, rabbi, imam, coach, trainer, athlete, footballer, swimmer, boxer, producer,
composer, dj, janitor, cleaner, technician, product owner, project manager, realtor, broker, recruiter, butcher, fisherman, sailor,
security guard, guide, archaeologist, blogger, streamer, youtuber, housewife, househusband, stay-at-home mom, stay-at-home dad`

const workplaces = `bakery, restaurant, cafe, café, coffee shop, bookshop, bookstore, shop, store, supermarket, hotel, hostel, bar, bank,
hospital, clinic, school, kindergarten, university, college, library, museum, gallery, garage, factory, farm, studio, gym, salon,
law firm, startup, start-up, company, agency, warehouse, call center, call centre, shelter, pharmacy, nursing home, zoo, airport`

const fields = `law, medicine, biology, chemistry, physics, mathematics, maths, math, history, philosophy, psychology, sociology, economics,
business, finance, accounting, marketing, engineering, computer science, data science, nursing, art, art history, music, literature,
english, spanish, french, german, chinese, japanese, linguistics, journalism, architecture, design, graphic design, fashion,
political science, theology, theatre, theater, film, education, geography, geology, astronomy, statistics, yoga, piano, guitar, dance`
