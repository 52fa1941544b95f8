package search

import (
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// propertySet is the set of the characters with a property. That of "gc!=L" is
// that of "gc=L", as in the client.
func propertySet(name string) (charSet, bool) {
	kind, value := "", name
	for _, sep := range []string{"!=", ":", "="} {
		if k, v, ok := strings.Cut(name, sep); ok {
			kind, value = symbol(k), symbol(v)
			if kind == "" {
				return charSet{}, false
			}
			break
		}
	}
	p := properties()
	switch kind {
	case "":
		value = symbol(name)
		if base := binaryProperties[value]; base != nil {
			return spelt(value, base), true
		}
		if s, ok := p.categories[value]; ok {
			return s, true
		}
		s, ok := p.scripts[value]
		return s, ok
	case "gc", "generalcategory":
		s, ok := p.categories[value]
		return s, ok
	case "sc", "script":
		s, ok := p.scripts[value]
		return s, ok
	}
	return charSet{}, false
}

// symbol is what counts of the name of a property.
func symbol(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf || strings.ContainsRune(" _-", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	if short, ok := strings.CutPrefix(s, "is"); ok && short != "c" {
		return short
	}
	return s
}

// propertyNames are the properties that have a value, by the value's symbols.
type propertyNames struct{ categories, scripts map[string]charSet }

var properties = sync.OnceValue(func() propertyNames {
	p := propertyNames{map[string]charSet{}, map[string]charSet{}}
	named := func(name string) charSet { return charSet{body: `\p{` + name + `}`} }
	for name := range unicode.Categories {
		p.categories[symbol(name)] = named(name)
	}
	for alias, name := range unicode.CategoryAliases {
		p.categories[symbol(alias)] = named(name)
	}
	for _, name := range []string{"Any", "ASCII", "Assigned"} {
		p.categories[symbol(name)] = named(name)
	}
	for name, table := range unicode.Scripts {
		s := named(name)
		if _, err := syntax.Parse(s.body, syntax.Perl); err != nil { // Go 1.25 and 1.26 know none of several words
			s = ranges(marks(table))
		}
		p.scripts[symbol(name)] = s
	}
	for pair := range strings.FieldsSeq(scriptCodes) {
		code, name, _ := strings.Cut(pair, "=")
		p.scripts[symbol(code)] = p.scripts[symbol(name)]
	}
	return p
})

// spelt is a property that Go has no name for; the name is one of a few.
func spelt(name string, base []*unicode.RangeTable) charSet {
	if s, ok := speltNames.Load(name); ok {
		return s.(charSet)
	}
	s := spell(marks(base...))
	speltNames.Store(name, s)
	return s
}

var speltNames sync.Map // of charSet

// binaryProperties are the properties that are yes or no, by their symbols: as
// many as Go has tables for.
var binaryProperties = func() map[string][]*unicode.RangeTable {
	m := map[string][]*unicode.RangeTable{}
	for name, table := range unicode.Properties {
		m[symbol(name)] = []*unicode.RangeTable{table}
	}
	lower, upper := []*unicode.RangeTable{unicode.Ll, unicode.Other_Lowercase}, []*unicode.RangeTable{unicode.Lu, unicode.Other_Uppercase}
	m["lowercase"], m["uppercase"] = lower, upper
	m["cased"] = slices.Concat(lower, upper, []*unicode.RangeTable{unicode.Lt})
	m["alphabetic"] = []*unicode.RangeTable{unicode.L, unicode.Nl, unicode.Other_Alphabetic}
	m["math"] = []*unicode.RangeTable{unicode.Sm, unicode.Other_Math}
	for alias, name := range map[string]string{
		"lower": "lowercase", "upper": "uppercase", "alpha": "alphabetic", "space": "whitespace", "wspace": "whitespace",
		"ahex": "asciihexdigit", "hex": "hexdigit", "dia": "diacritic", "ext": "extender", "ideo": "ideographic",
		"uideo": "unifiedideograph", "joinc": "joincontrol", "nchar": "noncharactercodepoint", "qmark": "quotationmark",
		"term": "terminalpunctuation", "sterm": "sentenceterminal", "sd": "softdotted", "vs": "variationselector",
	} {
		m[alias] = m[name]
	}
	return m
}()

// scriptCodes are the codes of ISO 15924 for the scripts that Go knows.
const scriptCodes = `
Adlm=Adlam Aghb=Caucasian_Albanian Ahom=Ahom Arab=Arabic Armi=Imperial_Aramaic Armn=Armenian Avst=Avestan Bali=Balinese
Bamu=Bamum Bass=Bassa_Vah Batk=Batak Beng=Bengali Bhks=Bhaiksuki Bopo=Bopomofo Brah=Brahmi Brai=Braille Bugi=Buginese
Buhd=Buhid Cakm=Chakma Cans=Canadian_Aboriginal Cari=Carian Cher=Cherokee Chrs=Chorasmian Copt=Coptic Qaac=Coptic
Cpmn=Cypro_Minoan Cprt=Cypriot Cyrl=Cyrillic Deva=Devanagari Diak=Dives_Akuru Dogr=Dogra Dsrt=Deseret Dupl=Duployan
Egyp=Egyptian_Hieroglyphs Elba=Elbasan Elym=Elymaic Ethi=Ethiopic Geor=Georgian Glag=Glagolitic Gong=Gunjala_Gondi
Gonm=Masaram_Gondi Goth=Gothic Gran=Grantha Grek=Greek Gujr=Gujarati Guru=Gurmukhi Hang=Hangul Hani=Han Hano=Hanunoo
Hatr=Hatran Hebr=Hebrew Hira=Hiragana Hluw=Anatolian_Hieroglyphs Hmng=Pahawh_Hmong Hmnp=Nyiakeng_Puachue_Hmong
Hung=Old_Hungarian Ital=Old_Italic Java=Javanese Kali=Kayah_Li Kana=Katakana Khar=Kharoshthi Khmr=Khmer Khoj=Khojki
Kits=Khitan_Small_Script Knda=Kannada Kthi=Kaithi Lana=Tai_Tham Laoo=Lao Latn=Latin Lepc=Lepcha Limb=Limbu Lina=Linear_A
Linb=Linear_B Lyci=Lycian Lydi=Lydian Mahj=Mahajani Maka=Makasar Mand=Mandaic Mani=Manichaean Marc=Marchen Medf=Medefaidrin
Mend=Mende_Kikakui Merc=Meroitic_Cursive Mero=Meroitic_Hieroglyphs Mlym=Malayalam Mong=Mongolian Mroo=Mro Mtei=Meetei_Mayek
Mult=Multani Mymr=Myanmar Nagm=Nag_Mundari Nand=Nandinagari Narb=Old_North_Arabian Nbat=Nabataean Nkoo=Nko Nshu=Nushu
Ogam=Ogham Olck=Ol_Chiki Orkh=Old_Turkic Orya=Oriya Osge=Osage Osma=Osmanya Ougr=Old_Uyghur Palm=Palmyrene Pauc=Pau_Cin_Hau
Perm=Old_Permic Phag=Phags_Pa Phli=Inscriptional_Pahlavi Phlp=Psalter_Pahlavi Phnx=Phoenician Plrd=Miao
Prti=Inscriptional_Parthian Rjng=Rejang Rohg=Hanifi_Rohingya Runr=Runic Samr=Samaritan Sarb=Old_South_Arabian Saur=Saurashtra
Sgnw=SignWriting Shaw=Shavian Shrd=Sharada Sidd=Siddham Sind=Khudawadi Sinh=Sinhala Sogd=Sogdian Sogo=Old_Sogdian
Sora=Sora_Sompeng Soyo=Soyombo Sund=Sundanese Sylo=Syloti_Nagri Syrc=Syriac Tagb=Tagbanwa Takr=Takri Tale=Tai_Le
Talu=New_Tai_Lue Taml=Tamil Tang=Tangut Tavt=Tai_Viet Telu=Telugu Tfng=Tifinagh Tglg=Tagalog Thaa=Thaana Tibt=Tibetan
Tirh=Tirhuta Tnsa=Tangsa Ugar=Ugaritic Vaii=Vai Vith=Vithkuqi Wara=Warang_Citi Wcho=Wancho Xpeo=Old_Persian Xsux=Cuneiform
Yezi=Yezidi Yiii=Yi Zanb=Zanabazar_Square Zinh=Inherited Qaai=Inherited Zyyy=Common`
