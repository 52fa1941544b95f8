"""The searches that search.py records. $CID0…3, $NID0…3, $DID0…3 and $MID0…3 are ids of the collection."""

TEXTS = r'''
dog
DOG
dog cat
dog or cat
dog OR cat -doggy
dog (cat or doggy)
-cat
-(cat or dog)
-cat -dog
"a dog"
"dog cat"
d_g
d*g
*
_
\*
\_
%
100%
\\
back\\slash
"back\\slash"
quo\"te
"quo\"te"
co\:lon
"co\:lon"
\(paren\)
"(paren)"
"[brack]"
{brace}
\-dash
"-dash"
a\-dash
"and"
"or"
"AND"
"not"
café
cafe
CAFÉ
nc:café
nc:cafe
nc:resume
"nc:na_ve"
nc:strase
nc:STRASSE
nc:が
nc:か
nc:ore
nc:aether
nc:kra
nc:हन्द
Straße
straße
STRASSE
ﬁne
Ελλάδα
ελλάδα
Привет
привет
मकान
हिन्द
עברית
日本
が
naïve
K
K
Å
Å
3.5
007
<b>
<br>
&nbsp;
"one two"
nbsp
"foo bar"
foo*bar
"a  b"
"line break"
re:x
deck\:x
sound
*.mp3
pic
"pic 1.jpg"
hint
orbits
"The *and"
re:dog
re:^dog
re:dog$
re:\bdog\b
re:\bdog
re:dog\b
"re:dog|cat"
"re:(dog|cat)\b"
re:d.g
re:\d
re:\d+
re:^\d+$
re:\w\W\w
re:\bmir\b
re:\bмир\b
re:\bПРИВЕТ\b
re:\bσοφός\b
"re:ΣΟΦΌΣ"
re:ß
re:ẞ
re:ſ
re:[[:digit:]]
re:[^a-z]
re:[^\W]
re:[\d_]
re:[\w.]+\+b
re:\S
"re:\s\s"
re:\pL
re:\p{Greek}
re:\p{Han}+
re:\p{Lu}
re:\P{L}
re:\x41
re:\x{e9}
re:\u00e9
re:a{2}
re:a{0,2}b
re:a**b
re:a++b
re:(?-i)DOG
"re:(?s)x.y"
re:\<dog
re:dog\>
re:\b{start}dog
re:\b{end-half}x
re:\"
re:\.
re:\\\\
re:[\]\[]
re:[]a]
re:[a-c]\*
"re:a b"
"re:(?-i)[A-Z]{3,}"
re:(
"re:("
"re:["
"re:a{"
"re:a{,3}"
"re:{"
"re:*"
re:\Q
re:\1
re:\é
re:\h
re:
re:|
"re:(?i"
"re:x{3,2}"
"re:\ d"
"re:[\ ]d"
re:\p{Alphabetic}{3}
re:\P{Alphabetic}
re:[\p{alpha}_]x
"re:(?-i)\p{Lowercase}\p{upper}"
"re:(?-i)\P{Lowercase}"
re:^\p{Cased}
re:\p{White_Space}
re:\p{Math}
re:\p{Dash}
re:\p{Grek}
re:\p{Latn}{6}
re:\p{Hira}
re:\p{isGreek}
"re:\p{SCRIPT=greek}"
"re:\p{sc:Cyrl}"
"re:\p{gc!=L}"
"re:\p{General Category=Nd}"
re:\p{sc}
re:\p{gc=Greek}
re:\p{sc=L}
re:\p{^Lu}
re:\p{}
re:\pX
"re:(?u)é"
"re:(?u:é)"
"re:(?ui)É"
"re:(?u-i)É"
"re:(?)x"
"re:(?ii)a"
"re:(?i-i)a"
"re:(?i-)a"
"re:(?-i-s)a"
"re:(?i)*"
"re:a(?i)*"
"re:(?P<a.b[0]>d)"
"re:(?<é>d)"
"re:(?P<a>d)(?P<a>o)"
"re:(?P<1>d)"
"re:(?P<>d)"
"re:(?P=d)"
"re:[]-a]"
"re:^[^]-a]"
"re:^[--d]"
"re:^[^--d]"
"re:[0-]"
"re:[a-c-e]x"
"re:[\d-z]"
"re:[a-\d]"
"re:[z-a]"
"re:[[:alpha:]-z]x"
"re:\x{d800}"
"re:\x{110000}"
"re:\x{000000064}"
"re:[\x{61}-\u{63}]\u0064"
"re:\w{150}"
"re:\w{300}"
w:dog
w:dog*
w:*dog
w:d_g
w:DOG
w:café
w:cafe
w:мир
w:日本
w:a.b
w:e-mail
w:don't
w:"dog cat"
w:exam
w:x²
w:1
w:12
w:\*
w:
nc:
nc:*
w:हिन्दी
w:x
Front:dog
front:dog
FRONT:*dog*
Front:*
Front:_*
Front:*_
-Front:_*
Front:
Front:"*dog cat*"
"Front Extra:*dog*"
"Front Extra:_*"
"Front Extra:"
Front*:*dog*
Front*:dog
Front*:_*
F*:*cat*
*:dog
*:*dog*
_*:*dog*
*_:cat
*:_*
*:
*:re:^dog
*:re:dog$
*:nc:cafe
Back:*
Back:re:^dog
Back:re:\bdog\b
"Back:re:dog|cat"
Back:nc:*cafe*
back:nc:*CAFÉ*
Text:*{{c1*
Text:nc:*cafe*
Notes_1:*a*
Notes\_1:*a*
N_tes:*a*
N*tes*:*a*
Nötes:*a*
NÖTES:*a*
nötes:re:a
Co-lon:*a*
Co\-lon:*a*
"Co\:lon:*"
co-lon:re:dog
Only:*
only:re:.
NoSuch:dog
NoSuch:re:dog
NoSuch:
Fr_nt:dog
Front:re:(
"Front:re:("
"*:re:["
Front:nc:dog
Front:100%
Front:*%*
Front:\*
Front:*\**
Front:*\_*
Front:*_*
Front:*\\*
Front:*"\""*
Front:12
Front:re:^\d+$
Front:re:x
Front:\re
Front:re\:x
Front:nc\:x
Front:re\:*
B*:*a*
B*:re:^a
sc:moon
sc:dog
sc:hint
sc:*dog*
sc:"the dog"
sc:cafe
'''

TERMS = r'''
deck:*
deck:French
deck:french
deck:FRENCH
deck:French::Words
deck:French::*
deck:french*
deck:Fran_ais
deck:FRANÇAIS
deck:日本語
deck:日本語::漢字
deck:*::*
deck:*::words
deck:A_B
deck:A\_B
deck:A*B
deck:A\*B
"deck:With Space"
deck:"With Space"
deck:"With Space::Sub Deck"
deck:"with space::sub*"
deck:Par\(en\)
"deck:Par(en)"
deck:Dot.Deck
deck:Back\\slash
deck:Quo\"te
deck:current
deck:filtered
-deck:filtered
deck:Current
deck:Straße
deck:strasse
deck:STRASSE
deck:Default
deck:NoSuch
deck:
"deck: French "
deck:French::
deck:::French
deck:Filtered
deck:Filtered::Now
-deck:French
deck:French or deck:日本語
deck:French -deck:French::Words
tag:none
tag:*
-tag:none
-tag:*
tag:marked
tag:MARKED
tag:verb
tag:Verb
tag:verb::past
tag:verb::*
tag:verb*
tag:*past
tag:*past*
tag:ver_
tag:verb_phrase
tag:verb-phrase
tag:verb\-phrase
tag:cafe
tag:café
tag:CAFÉ
tag:nc:cafe
tag:nc:café
tag:nc:CAF_
tag:日本
tag:日本::語
tag:a_b
tag:a\_b
tag:a*b
tag:a\*b
tag:a.b
tag:x
tag:x::y
tag:y
tag:x::*::z
tag:100%
tag:co\:lon
tag:co:lon
tag:Straße
tag:straße
tag:STRASSE
tag:re:^verb
tag:re:verb$
"tag:re:^(verb|noun)$"
tag:re:^.$
tag:re:
tag:re:\d
tag:re\:x
tag:nc\:y
tag:re:[
"tag:verb noun"
tag:
tag:NONE
tag:NoSuch
note:Basic
note:basic
note:basic*
note:*
note:Cloze
"note:Basic (and reversed card)"
note:"Basic (and *"
note:vocab_x
note:vocab\_x
note:*vocab*
note:Straße*
note:Straße\*
note:STRASSE\*
note:strasse*
note:
note:NoSuch
mid:$MID0
mid:$MID1
-mid:$MID2
mid:0
mid:-1
mid:x
card:1
card:2
card:0
card:3
card:+2
card:12
card:65535
card:65536
"card:Card 1"
"card:card 2"
card:Card*
card:Forward
card:forward
"card:Back ward"
card:Rück_wärts
card:Rück\_wärts
card:rück*
card:"RÜCK\_WÄRTS"
card:Cloze
card:cloze
card:
card:NoSuch
-card:1
is:new
is:learn
is:review
is:due
is:suspended
is:buried
is:buried-manually
is:buried-sibling
-is:new
-is:due
is:learn is:review
is:learn -is:review
is:due -is:suspended
is:New
is:foo
is:
prop:ivl=7
prop:ivl!=7
prop:ivl>7
prop:ivl>=7
prop:ivl<7
prop:ivl<=7
prop:ivl=+7
prop:ivl=-1
prop:ivl=1.5
prop:ivl=
prop:ivl
prop:ivl~1
prop:ivl>4294967295
prop:ivl>4294967296
prop:due=0
prop:due=1
prop:due=-1
prop:due!=0
prop:due>0
prop:due>=5
prop:due<0
prop:due<=-7
prop:due=+1
prop:due>=-300
prop:due<2147483647
prop:due=2147483648
prop:reps=0
prop:reps>10
prop:reps<5
prop:reps!=3
prop:lapses=0
prop:lapses>=3
prop:lapses<8
prop:ease=2.5
prop:ease<1e39
prop:ease>=-1e39
prop:ease>infinity
prop:ease<=Inf
prop:ease>nan
prop:ease>=nan
prop:s<1e39
prop:d<inf
prop:r<nan
prop:ease!=2.5
prop:ease>2.5
prop:ease<2
prop:ease<=2.65
prop:ease>=3.1
prop:ease=0
prop:ease>-1
prop:ease=2.6504
prop:ease=x
prop:pos=5
prop:pos<100
prop:pos>=300
prop:pos!=7
prop:s=10
prop:s=0.1
prop:s>0.1
prop:s>=0.1
prop:s<0.1
prop:s<=0.5
prop:s>10
prop:s>=100.25
prop:s<2000.1234
prop:s!=1
prop:s=.5
prop:s=5.
prop:s>1e2
prop:s=+1
-prop:s>10
prop:s>inf
prop:s=abc
prop:d=0.5
prop:d=0
prop:d=1
prop:d>0.5
prop:d<0.7
prop:d>=0.7
prop:d!=0.5
-prop:d>0.5
prop:r>0.5
prop:r<0.5
prop:r>=0.9
prop:r<0.99
prop:r>0.1
prop:r!=2
prop:r=1
-prop:r>0.5
prop:rated=0
prop:rated=-1
prop:rated=-1:3
prop:rated>-3
prop:rated>=-3
prop:rated<-3
prop:rated<=-3:1
prop:rated!=0
prop:rated!=-2:4
prop:rated=1
prop:rated=-1:5
prop:rated=-1:0
prop:resched=0
prop:resched=-1
prop:resched>-5
prop:resched<=-5
prop:resched=1
prop:resched=-1:1
prop:cdn:x=1
prop:cdn:x>1
prop:cdn:x>=1.5
prop:cdn:x<0
prop:cdn:x=7
prop:cdn:x=100
prop:cdn:x!=1
prop:cdn:v=0
prop:cdn:v!=1
prop:cdn:t=0
prop:cdn:nokey=1
-prop:cdn:x=1
prop:cds:v=a
prop:cds:v!=a
prop:cds:v>a
"prop:cds:v=B c"
prop:cds:v="B c"
prop:cds:t=true
prop:cds:n=null
prop:cds:x=7
prop:cds:x=1
prop:cds:x=1.5
prop:cds:x=100.0
prop:cds:o={\"a\":[1,2.5],\"b\":1}
"prop:cds:o={\"a\":[1,2.5],\"b\":1}"
prop:cds:v=
prop:cdn:a_b=1
prop:cdn:é=1
prop:foo=1
prop:stability>1
prop:IVL=7
prop:
prop:rated
has-cd:x
has-cd:v
has-cd:n
has-cd:t
has-cd:o
has-cd:é
has-cd:
has-cd:nokey
-has-cd:x
rated:1
rated:0
rated:2
rated:7
rated:31
rated:365
rated:1:1
rated:2:3
rated:30:4
rated:100000
rated:1:0
rated:1:5
rated:1:
rated:x
rated:-1
rated:1:2:3
-rated:7
rated:7 -rated:2
resched:0
resched:1
resched:30
resched:x
added:1
added:0
added:2
added:4
added:12
added:500
added:x
-added:4
edited:1
edited:2
edited:3
edited:31
edited:301
edited:0
edited:-1
introduced:1
introduced:2
introduced:6
introduced:30
introduced:200
introduced:0
introduced:x
-introduced:30
flag:0
flag:1
flag:2
flag:7
flag:+3
flag:8
flag:x
flag:
-flag:0
flag:1 or flag:2
nid:$NID0
nid:$NID0,$NID1,$NID2
-nid:$NID0
nid:1
nid:
nid:x
nid:1,
nid:99999999999999999999,$NID0
cid:$CID0
cid:$CID0,$CID1,$CID2,$CID3
-cid:$CID0
cid:1,2
cid:a
cid:1,,2
did:$DID0
did:$DID0,$DID1
did:1
did:x
dupe:$MID0,dog
dupe:$MID1,dog
dupe:$MID2,"dog"
dupe:$MID3,foobar
"dupe:$MID0,one two"
dupe:1
dupe:x,y
dupe:$MID0,
preset:Default
preset:default
"preset:Späcial Preset"
"preset:späcial preset"
"preset:SPÄCIAL PRESET"
preset:NoSuch
preset:
preset:Def*
guid:x
'''

STRUCTURE = r'''

   
(dog)
((dog))
dog and cat
dog AND cat
dog and (cat)
dog or cat or doggy
dog cat or doggy
dog or cat doggy
dog and cat or doggy and cat
(dog or cat) (a or b)
-(dog cat)
-(-dog)
--dog
-"dog cat"
-deck:"With Space"
-
- dog
dog -
(-dog)
(dog)(cat)
dog(cat)
dog"cat"
"dog"cat
"dog""cat"
deck:French"dog"
deck:"French"dog
(is:new or is:due) -(flag:1 or flag:2) tag:*
is:new or is:due flag:1
-is:new -is:review -is:learn
-is:new or dog
card:1 dog
card:1 or dog
-(card:1 dog)
nid:$NID0 is:new
nid:$NID0 or dog
nid:$NID0 or card:1
cid:$CID0 dog
cid:$CID0 or dog
edited:2 added:4
edited:2 or rated:2
deck:* tag:none note:Basic card:1
deck:French dog
dog　cat
dog cat
"dog cat"
and
or
and dog
dog and
dog or
or dog
dog or or cat
dog and or cat
dog and and cat
(and)
(dog and)
-and
-or
()
( )
(dog
dog)
((dog)
(dog))
)
(
-(
-)
"
""
"dog
dog"
dog "
tag:""
tag:"
tag:"x
deck:\x
foo\x
foo\ bar
\
dog\
"dog\"
"dog\x"
\\\
a\\\\b
:
:dog
:"dog"
"dog:"
dog:
dog::cat
\:
Front\:dog
(:x)
"deck:French
'''


def lines(text):
    return text.split("\n")[1:-1]


ALL = lines(TEXTS) + lines(TERMS) + lines(STRUCTURE)
TEXTS = lines(TEXTS)

COLUMNS = (
    "noteFld", "noteCrt", "noteMod", "note", "noteTags", "cardMod", "template", "deck", "cardDue", "cardIvl", "cardEase",
    "cardReps", "cardLapses", "originalPosition", "stability", "difficulty", "retrievability",
)
SORTED = ("deck:*", "dog or is:due", "tag:verb")
CUSTOM = (
    "c.ivl asc, c.due desc, c.id asc",
    "n.sfld collate nocase desc, c.id asc",
    "c.reps desc, n.mod asc, c.ord, c.id",
)
