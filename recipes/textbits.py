"""Word choices that the sentence tasks draw on; plain tables."""

NAMES = (
    "Tom Lily Ben Anna Max Mia Sam Sue Tim Lucy Jack Emma Leo Nora Paul Rosa Fred Kate Peter "
    "Jane John Mary Bob Amy Dan Ella Finn Grace Hugo Ivy"
).split()
COLOURS = ["red", "blue", "green", "yellow", "black", "white", "brown", "pink", "orange", "purple"]
THINGS = (
    "ball hat book cup doll kite box bag car boat ring drum bell coat chair lamp key pen "
    "basket blanket candle umbrella spoon plate"
).split()
ANIMALS = ("dog cat horse cow pig duck rabbit bird mouse fox bear frog goat sheep").split()
PLACES = (
    "garden kitchen park school forest shop barn castle library market house river beach "
    "field hospital church"
).split()
FOODS = ["apple", "cake", "cookie", "banana", "sandwich", "carrot", "pear", "egg", "pizza", "plum"]
ACTIONS = (
    "sat down",
    "began to sing",
    "laughed",
    "went to sleep",
    "looked around",
    "ran away",
    "danced",
    "ate an apple",
)

GOOD_ADJECTIVES = (
    "wonderful great lovely excellent beautiful funny charming delightful superb brilliant "
    "fine enjoyable sweet warm clever fresh moving perfect amazing good"
).split()
BAD_ADJECTIVES = (
    "terrible awful bad boring dull ugly horrible stupid weak slow disappointing silly poor "
    "nasty tedious cold sad empty dreadful messy"
).split()
REVIEWED = (
    "film movie story book song play show dinner meal soup cake hotel room party game trip "
    "concert picture actor ending music teacher lesson day weather"
).split()
GOOD_CLAUSES = (
    "I loved it",
    "we laughed all evening",
    "I want to see it again",
    "everyone was happy",
    "it made me smile",
    "I would go again",
    "it was the best of the year",
    "we had a great time",
    "I enjoyed every minute",
    "the children clapped",
)
BAD_CLAUSES = (
    "I hated it",
    "we left early",
    "I fell asleep",
    "nobody liked it",
    "it made me angry",
    "I would never go again",
    "it was the worst of the year",
    "we had a terrible time",
    "I was bored the whole time",
    "the children cried",
)

TOPICS: dict[str, tuple[str, ...]] = {
    "food": (
        "The soup was hot and the bread was fresh.",
        "Mother baked a cake with sugar and eggs.",
        "They cooked rice and meat for dinner.",
        "He ate two apples and a sandwich for lunch.",
        "The kitchen smelled of butter and honey.",
        "She put salt and onions into the pot.",
        "They had pancakes and milk for breakfast.",
    ),
    "weather": (
        "Dark clouds came and it began to rain.",
        "The wind blew hard all night.",
        "Snow fell and the roads turned white.",
        "The sun came out and it grew warm.",
        "There was thunder and then a bright flash.",
        "A cold storm came over the hills.",
        "In the morning there was thick fog.",
    ),
    "school": (
        "The teacher wrote a sum on the board.",
        "The pupils opened their books and began to read.",
        "She learned ten new words in class.",
        "They wrote a test before the bell rang.",
        "He forgot his homework and his pencil.",
        "The class sat down and listened to the lesson.",
        "The pupils counted to one hundred.",
    ),
    "sport": (
        "He kicked the ball into the goal.",
        "Their team won the match by two points.",
        "She ran the race faster than all the others.",
        "They trained every day for the big game.",
        "The players threw and caught the ball.",
        "He swam ten lengths and won a medal.",
        "The crowd cheered when the team scored.",
    ),
    "animals": (
        "The dog barked and the cat ran up a tree.",
        "A fox crept after the hens.",
        "The horse ate hay in its stable.",
        "Two rabbits hopped across the grass.",
        "The bear slept in its cave all winter.",
        "A bird fed its young in the nest.",
        "The cows and sheep stood in the field.",
    ),
    "music": (
        "She played the piano and he sang.",
        "The band beat the drums and blew the trumpets.",
        "He learned a new song on his guitar.",
        "They danced while the violin played.",
        "The choir sang an old tune.",
        "A flute sounded sweetly in the hall.",
        "Everyone listened to the concert.",
    ),
    "travel": (
        "They took the train to the sea.",
        "The plane flew over the mountains.",
        "She packed her bag for the long journey.",
        "They bought a ticket and waited for the bus.",
        "The ship sailed to a far country.",
        "He looked at the map and drove on.",
        "They stayed three nights in a hotel.",
    ),
    "health": (
        "The doctor looked at his sore throat.",
        "She had a fever and stayed in bed.",
        "The nurse put a bandage on his knee.",
        "He took his medicine and felt better.",
        "Her tooth hurt, so she saw the dentist.",
        "He broke his arm and went to the hospital.",
        "She coughed and sneezed all night.",
    ),
}

GERMAN_NOUNS = (
    ("dog", "der Hund"),
    ("cat", "die Katze"),
    ("horse", "das Pferd"),
    ("house", "das Haus"),
    ("tree", "der Baum"),
    ("flower", "die Blume"),
    ("child", "das Kind"),
    ("man", "der Mann"),
    ("woman", "die Frau"),
    ("king", "der König"),
    ("book", "das Buch"),
    ("table", "der Tisch"),
    ("lamp", "die Lampe"),
    ("car", "das Auto"),
    ("bird", "der Vogel"),
    ("mouse", "die Maus"),
    ("bread", "das Brot"),
    ("milk", "die Milch"),
    ("soup", "die Suppe"),
    ("apple", "der Apfel"),
    ("teacher", "der Lehrer"),
    ("city", "die Stadt"),
    ("village", "das Dorf"),
    ("garden", "der Garten"),
    ("door", "die Tür"),
    ("window", "das Fenster"),
    ("water", "das Wasser"),
    ("night", "die Nacht"),
    ("day", "der Tag"),
    ("girl", "das Mädchen"),
    ("friend", "der Freund"),
    ("mother", "die Mutter"),
    ("father", "der Vater"),
    ("moon", "der Mond"),
    ("sun", "die Sonne"),
)
GERMAN_ADJECTIVES = (
    "big small hot cold good bad old young fast slow happy sad long short rich poor strong "
    "weak clean dirty full empty loud quiet wet dry beautiful ugly new brave sick healthy "
    "clever lazy dark"
).split()
GERMAN_PRONOUNS = (
    ("I", "am", "ich", "bin"),
    ("he", "is", "er", "ist"),
    ("she", "is", "sie", "ist"),
    ("we", "are", "wir", "sind"),
    ("they", "are", "sie", "sind"),
)
GERMAN_OBJECTS = (
    ("a dog", "einen Hund"),
    ("a cat", "eine Katze"),
    ("a house", "ein Haus"),
    ("a book", "ein Buch"),
    ("an apple", "einen Apfel"),
    ("a flower", "eine Blume"),
    ("a tree", "einen Baum"),
    ("a car", "ein Auto"),
    ("a bird", "einen Vogel"),
    ("a lamp", "eine Lampe"),
    ("a horse", "ein Pferd"),
    ("a mouse", "eine Maus"),
    ("a friend", "einen Freund"),
    ("a garden", "einen Garten"),
    ("a star", "einen Stern"),
)
GERMAN_VERBS = (
    ("I have", "ich habe"),
    ("he has", "er hat"),
    ("we have", "wir haben"),
    ("I see", "ich sehe"),
    ("she sees", "sie sieht"),
    ("we see", "wir sehen"),
    ("I love", "ich liebe"),
    ("he loves", "er liebt"),
    ("they love", "sie lieben"),
    ("I buy", "ich kaufe"),
    ("she buys", "sie kauft"),
    ("we find", "wir finden"),
    ("he finds", "er findet"),
    ("I need", "ich brauche"),
)

SYNONYMS = (
    ("big", "large"),
    ("small", "little"),
    ("happy", "glad"),
    ("fast", "quick"),
    ("clever", "smart"),
    ("kind", "nice"),
    ("afraid", "scared"),
    ("beautiful", "pretty"),
    ("quiet", "silent"),
    ("sick", "ill"),
    ("tired", "sleepy"),
    ("brave", "bold"),
    ("rich", "wealthy"),
    ("strange", "odd"),
)
