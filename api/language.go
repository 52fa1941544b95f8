package api

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// language is what the API says in words; the rest of its texts is English.
type language struct {
	again, hard, good, easy string
	session                 string // default name of a dynamic deck
	end                     string
	point                   string // decimal
	units                   [6][]string
	plural                  func(n int) int
}

// languages are those that are spoken. Others fall back to English.
var languages = map[string]*language{
	"en": {
		again: "Again", hard: "Hard", good: "Good", easy: "Easy",
		session: "Custom Study Session", end: "(end)", point: ".",
		units: [6][]string{
			{"second", "seconds"}, {"minute", "minutes"}, {"hour", "hours"},
			{"day", "days"}, {"month", "months"}, {"year", "years"},
		},
		plural: func(n int) int {
			if n == 1 {
				return 0
			}
			return 1
		},
	},
	"pl": {
		again: "Znowu", hard: "Trudna", good: "Dobra", easy: "Łatwa",
		session: "Sesja niestandardowej nauki", end: "(koniec)", point: ",",
		units: [6][]string{
			{"sekunda", "sekundy", "sekund"}, {"minuta", "minuty", "minut"}, {"godzina", "godziny", "godzin"},
			{"dzień", "dni", "dni"}, {"miesiąc", "miesiące", "miesięcy"}, {"rok", "lata", "lat"},
		},
		plural: func(n int) int {
			switch {
			case n == 1:
				return 0
			case n%10 >= 2 && n%10 <= 4 && (n%100 < 12 || n%100 > 14):
				return 1
			}
			return 2
		},
	},
	"de": {
		again: "Nochmal", hard: "Schwer", good: "Gut", easy: "Einfach",
		session: "Benutzerdefinierte Lernsitzung", end: "(Ende)", point: ",",
		units: [6][]string{
			{"Sekunde", "Sekunden"}, {"Minute", "Minuten"}, {"Stunde", "Stunden"},
			{"Tag", "Tage"}, {"Monat", "Monate"}, {"Jahr", "Jahre"},
		},
		plural: func(n int) int {
			if n == 1 {
				return 0
			}
			return 1
		},
	},
}

// languageFor finds a language by its code, such as "pl" or "pl_PL".
func languageFor(code string) *language {
	if i := strings.IndexAny(code, "_-"); i >= 0 {
		code = code[:i]
	}
	if l := languages[strings.ToLower(code)]; l != nil {
		return l
	}
	return languages["en"]
}

// units of time by their length in seconds, with that of the next.
var unitSeconds = [6]float64{1, 60, 3600, 86400, 2592000, 31536000}

// span writes a time as clients of the original's day did: "10 minutes",
// "4 days", "1.5 months". Months and years have one decimal, and then the plural of two.
func (l *language) span(seconds float64) string {
	unit := 0
	for unit < 5 && math.Abs(seconds) >= unitSeconds[unit+1] {
		unit++
	}
	n := seconds / unitSeconds[unit]
	if unit < 4 {
		whole := int(math.RoundToEven(n))
		return fmt.Sprintf("%d %s", whole, l.units[unit][l.plural(whole)])
	}
	text := strings.Replace(strconv.FormatFloat(n, 'f', 1, 64), ".", l.point, 1)
	return text + " " + l.units[unit][l.plural(2)]
}

// interval is a button's: "<10 minutes" if the card comes back in this session.
func (l *language) interval(seconds, learnAhead float64) string {
	if seconds == 0 {
		return l.end
	}
	s := l.span(seconds)
	if seconds < learnAhead {
		return "<" + s
	}
	return s
}

// shortSpan is a time as "4d" or "1.5mo".
func shortSpan(seconds float64) string {
	unit := 0
	for unit < 5 && math.Abs(seconds) >= unitSeconds[unit+1] {
		unit++
	}
	digits := 0
	if unit >= 4 {
		digits = 1
	}
	return strconv.FormatFloat(seconds/unitSeconds[unit], 'f', digits, 64) + [...]string{"s", "m", "h", "d", "mo", "y"}[unit]
}

// duration is how long something took: "7.5s", "2m5s".
func duration(seconds float64) string {
	if seconds < 60 {
		return strconv.FormatFloat(seconds, 'f', 1, 64) + "s"
	}
	whole := int64(math.Round(seconds))
	s := strconv.FormatInt(whole/60, 10) + "m"
	if whole%60 != 0 {
		s += strconv.FormatInt(whole%60, 10) + "s"
	}
	return s
}
