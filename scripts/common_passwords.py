"""Makes modules/auth/common_passwords.txt, the block list of passwords that are guessed first.

    python scripts/common_passwords.py

The list is made by this program alone and is the project's own work, under its licence. Lists of leaked passwords have
few entries of twelve characters and more. What people do to reach a required length is regular instead: they put two
words together, repeat one, add a year or a row of digits, or walk over the keyboard. The result is the same on every
run; a test compares it with the committed file.
"""

from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

SHORTEST = 8  # the lowest minimum an installation can set
LONGEST = 32
TARGET = Path(__file__).parent.parent / "modules" / "auth" / "common_passwords.txt"
HEADER = """\
# Passwords that are guessed first, one per line, in lower case. Made by scripts/common_passwords.py: change it there.
# The project's own work, under its licence; no other list is contained.
"""

# Whole passwords and phrases that head every guessing order.
PHRASES = """
0987654321 100200300 101010101010 10203040 1020304050 102030405060 111222333 111222333444 11223344 1122334455
112233445566 121212121212 123123123 123321123321 123412341234 123451234512345 123454321 1234554321 12345612345
123456123456 123456654321 12345671234567 1234567812345678 123456789 1234567890 1234567890123 12345678901234567890
12345678910 123456789101112 123456789123 123456789123456789 123456789a 123456789abc 123abc456def 135792468 1357924680
147258369 159357456 159753456 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qaz2wsx3edc4rfv 24681012
271828182845 314159265 3141592653 31415926535 314159265358 3141592653589 741852963 789456123 963852741 987654321
9876543210 a123456789 a1b2c3d4 a1b2c3d4e5 a1b2c3d4e5f6 aa123456 aaa111222 abc12345 abc123abc123 abcd1234 abcde12345
abcdefg123 abcdefgh access123 accessgranted admin12345 admin123456 adminadmin administrator amazon123 asdf1234
asdfasdf asdfghjkl asdfghjkloe baerchen baseball basketball batman123 bayernmuenchen bismillah blink182 blueberry
blumenkohl borussiadortmund buero12345 businessbusiness butterfly callofduty changeit changeme changemenow cheesecake
chocolate company123 computer correcthorse correcthorsebatterystaple counterstrike darling123 database database123
default123 defaultpassword demoaccount demodemo deutschland developer development docker123 dontknow dropbox123
engelchen enterenter erdbeere example123 examplepassword facebook123 fcbarcelona firma12345 football fortnite123
fussball fussball123 fussballgott gameofthrones geburtstag geheim geheimnis godisgood godislove google123 greenday
guestguest gummibaer gummibaerchen hallohallo hallohallo123 hallowelt harrypotter hasi123456 hello12345 helloitsme
helloworld helloworld123 heytherepeople ichliebedich ichliebedich123 ichweissnicht idontknow iforgot iforgotmypassword
ilovemycat ilovemydog ilovemyfamily ilovemyself iloveyou iloveyou123 iloveyou1234 iloveyoubaby iloveyouforever
iloveyousomuch initialpassword inshallah instagram123 internet internet123 jesus4ever jesuschrist jesusislord
justinbieber kartoffel kartoffelsalat kennwort keyboard kubernetes lakersfan leagueoflegends letmein letmeinnow
linkedin linkedin123 linkinpark liverpoolfc logmein123 lordoftherings losangeles loveyouforever manchesterunited
masterpassword mausi12345 maytheforcebewithyou meinkennwort meinpasswort metallica michaeljackson microsoft123
minecraft monitor123 mypassword mysql12345 neuespasswort newpassword newyorkcity nintendo nirvana123 nopassword
nothing oesterreich office12345 office2007 oldpassword onedirection opensesame openthedoor openup123 oracle123
p@ssw0rd p@ssword pa55word passw0rd password passwordpassword passwort passwort123 passwort1234 passwort12345
passwortpasswort passwortvergessen pikachu123 pineapple playstation pleasechangeme pokemon123 postgres postgres123
postgresql praisethelord princess prinzessin q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 qazwsxedc qazwsxedcrfv qweasdyxc
qweasdzxc qwer1234 qwert12345 qwertyuiop qwertz12345 qwertzuiop realmadrid regenbogen root123456 rootroot sample123
sanfrancisco schalke04 schatz123 schatzi123 schmetterling schokolade secret123 secretpassword securitysecurity
sesamoeffnedich slipknot sommerferien sonnenschein spiderman startpasswort startrek starwars strawberry streng
strenggeheim sunshine superadmin superman supersecret supervisor sweetheart sweetie123 switzerland sysadmin
taylorswift temporaer temporary temppassword testaccount testing123 testpassword testtest testtest123 thepassword
topsecret trustno1 unitedstates urlaub2024 user123456 volleyball watermelon weihnachten welcome welcomeback
werderbremen whatever whatsapp123 willkommen windows10 windows11 wonderwoman worldofwarcraft yourpassword youtube123
yxcvbnm123 zaq12wsx zaq1xsw2 zxcvbnm123
""".split()  # noqa: SIM905 - as text the list stays readable

# Single words that are used with something before or after them.
WORDS = """
abc123 access account adler admin administrator alexander amanda america andreas andrew angel angelina anna anthony
apfel apple april arsenal asdfgh ashley audi august austria autumn baby banana barcelona baseball basketball batman
bayern bear berlin bitcoin blume bmw boston boxing brandon brasil brother business buster butterfly california canada
champion changeme charles charlie charlotte cheese chelsea cherry chicago chocolate christ christian christmas claudia
coffee company computer cookie corvette cowboys crystal dallas daniel darling david december default delfin demo
deutschland dezember diamond dienstag dolphin donnerstag dortmund dragon dream eagle earth einhorn elizabeth emma
engel england example familie family father februar february felix ferrari feuer fire firma florida flower football
forever fortnite france frankfurt freedom freiheit freitag freunde friday friends fruehling fussball galaxy gamer
garden garten gateway geheim george germany ginger golden golf gott guest guitar hallo hamburg hannah happy hardcore
harley hase heaven hello herbst hockey honey horse hund hunter iloveyou internet ironman italia jackson james januar
january jennifer jessica jesus jonas jordan joseph joshua juergen juli julia july june juni justin juventus kaffee
katharina katze kennwort killer kirsche kitty klaus knight koeln lakers laptop laura lena leon letmein liebe lightning
lion lisa liverpool login london love lukas madrid mama manager mandate march maria mario markus martin master matrix
matthew matthias maverick maximilian may melanie mercedes merlin metal mexico mia michael michelle minecraft mittwoch
mond monday money monika monkey montag moon mother mountain muenchen music musik mustang mutter naruto newyork nicole
ninja november ocean october office oktober orange p@ssw0rd panda papa paris passw0rd password passwort paul pepper
peter petra pferd phoenix pikachu pirate pizza player pokemon porsche princess prinzessin project puppy qwerty qwertz
rabbit rainbow ranger regenbogen richard river robert rocknroll roma root rose running sabine samantha sample samstag
samurai sarah saturday schalke schatz schokolade schweiz sebastian secret security september server service servus
shadow sicherheit silver sister smile soccer sommer sonne sonntag sophie spiderman spring star starwars steelers
stefan stephanie stern storm stuttgart summer summertime sunday sunshine superman support sweet system tennis test
testing texas thomas thunder thursday tiger traum trustno1 tuesday turtle tyler unicorn user vater vienna vodka
warrior wasser water wednesday weihnachten welcome whatever whiskey wien william willkommen winner winter wizard wolf
wolfgang yamaha yankees zelda zuerich
""".split()  # noqa: SIM905 - as text the list stays readable

ENDINGS = """
! 00 007 01 1 1! 11 111 12 123 123! 1234 1234! 12345 123456 123456789 321 4321 99 @123 abc
""".split()  # noqa: SIM905 - as text the list stays readable
YEARS = [str(year) for year in range(1980, 2031)]
COMPANIONS = (
    "password",
    "passwort",
    "admin",
    "love",
    "hello",
    "hallo",
    "super",
    "mein",
    "my",
    "the",
    "master",
    "secret",
)
KEYBOARD_ROWS = (
    "1234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "abcdefghijklmnopqrstuvwxyz",
)
KEYBOARD_COLUMNS = (
    ("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn"),
    ("1qay", "2wsx", "3edc", "4rfv", "5tgb", "6zhn"),
)


def phrases() -> Iterator[str]:
    """The phrases, bare and with the commonest endings."""
    for phrase in PHRASES:
        yield from (phrase, phrase + "1", phrase + "12", phrase + "123", phrase + "1234", phrase + "!", phrase + "123!")


def decorated_words() -> Iterator[str]:
    """A word with digits, signs or a year after it, or digits before it."""
    for word, ending in product(WORDS, ENDINGS + YEARS):
        yield word + ending
    for word, year in product(WORDS, YEARS[-10:]):
        yield from (f"{word}{year}!", f"{word}@{year}")
    for word, digits in product(WORDS, ("123", "1234", "123456")):
        yield from (digits + word, digits + word + digits)


def joined_words() -> Iterator[str]:
    """A word two or three times, and a word after one of its usual companions."""
    for word in WORDS:
        yield from (word * 2, word * 3, f"{word}{word}1", f"{word}{word}123", f"{word}{word}!", f"{word}-{word}")
    for companion, word in product(COMPANIONS, WORDS):
        yield from (companion + word, f"{companion}{word}123")


def keyboard_walks() -> Iterator[str]:
    """Rows of keys from their beginning: there and back, repeated, with digits, and one after another."""
    rows = [row for forward in KEYBOARD_ROWS for row in (forward, forward[::-1])]
    for row, length in product(rows, range(3, 25)):
        piece = row[:length]
        yield from (piece, piece * 2, piece * 3, piece * 4, piece + piece[::-1], piece + "!")
        yield from (piece + digits for digits in (*ENDINGS[:7], *YEARS[-10:]))
        yield from (digits + piece for digits in ENDINGS[:7])
    for first, second, length in product(rows, rows, range(3, 11)):
        yield first[:length] + second[:length]
    for first, second, length in product(rows, rows, range(4, 11)):
        yield "".join(key for pair in zip(first[:length], second[:length], strict=False) for key in pair)


def columns_of_keys() -> Iterator[str]:
    """1qaz2wsx3edc and its relatives: the columns of the keyboard, down or up, from either side."""
    for layout in KEYBOARD_COLUMNS:
        for columns in (layout, tuple(column[::-1] for column in layout)):
            for start, end in combinations(range(len(columns) + 1), 2):
                yield from ("".join(columns[start:end]), "".join(reversed(columns[start:end])))


def dates() -> Iterator[str]:
    """Years in a row, and the first and last day of each."""
    for year in YEARS:
        yield from (f"0101{year}", f"3112{year}", f"01.01.{year}", f"31.12.{year}", year * 2, year * 3)


def common_passwords() -> list[str]:
    """All of them that are long enough to be tried, sorted."""
    sources = (phrases(), decorated_words(), joined_words(), keyboard_walks(), columns_of_keys(), dates())
    return sorted({entry for source in sources for entry in source if SHORTEST <= len(entry) <= LONGEST})


def render() -> str:
    """The text of the file."""
    return HEADER + "".join(f"{entry}\n" for entry in common_passwords())


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="ascii")
    print(f"{TARGET.name}: {len(common_passwords())} passwords")
