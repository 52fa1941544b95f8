package schema

import (
	"encoding/json"
	"math"
	"strconv"
)

const leechTagOnly int32 = 1

// The last values of enumerations that current clients refuse to read others of.
const (
	lastLeechAction    = 1
	lastQuestionAction = 1
	lastAnswerAction   = 4
)

// ParseDeckConfigJSON reads one object of schema 11's `dconf`
// (docs/collection-format.md §4.3). Ranges are not checked: see InRange.
func ParseDeckConfigJSON(b []byte) (*DeckConfig, error) {
	return parseDeckConfig(b, false)
}

// ParseEditedDeckConfigJSON is ParseDeckConfigJSON for what somebody asks for now:
// a value that would silently become its default is an error.
func ParseEditedDeckConfigJSON(b []byte) (*DeckConfig, error) {
	return parseDeckConfig(b, true)
}

func parseDeckConfig(b []byte, strict bool) (*DeckConfig, error) {
	o, err := parseObject(b)
	if err != nil {
		return nil, err
	}
	r := &reader{o: o, what: "deck config", strict: strict}
	d := &DeckConfig{
		ID:    must(r, "id", asI64Text),
		Mtime: must(r, "mod", asI64Text),
		Name:  must(r, "name", asString),
		USN:   must(r, "usn", asI32),
	}
	c := &d.Config
	readNewerKeys(r, c)
	c.CapAnswerTimeToSecs = uint32(max(0, must(r, "maxTaken", asI32)))
	c.DisableAutoplay = !must(r, "autoplay", asBool)
	c.ShowTimer = mustLax(r, "timer", asU8, 0) != 0
	c.SkipQuestionWhenReplayingAnswer = !maybe(r, "replayq", asBool, false)
	r.take("dyn") // means nothing here

	// Each section as a whole is right or is its defaults.
	var others [3]object
	others[0] = readSection(r, "new", c, readNew)
	others[1] = readSection(r, "rev", c, readRev)
	others[2] = readSection(r, "lapse", c, readLapse)
	if r.err != nil {
		return nil, r.err
	}
	for i, key := range []string{"new", "rev", "lapse"} {
		if len(others[i]) > 0 {
			in := &reader{o: others[i]}
			r.o[key] = in.rest()
		}
	}
	c.Other = r.rest()
	return d, nil
}

// readNewerKeys takes the keys that clients before 2.1.45 do not write.
func readNewerKeys(r *reader, c *DeckConfigInner) {
	c.NewMix = maybe(r, "newMix", asI32, 0)
	c.NewPerDayMinimum = maybe(r, "newPerDayMinimum", asU32, 0)
	c.InterdayLearningMix = maybe(r, "interdayLearningMix", asI32, 0)
	c.ReviewOrder = maybe(r, "reviewOrder", asI32, 0)
	c.NewCardSortOrder = maybe(r, "newSortOrder", asI32, 0)
	c.NewCardGatherPriority = maybe(r, "newGatherPriority", asI32, 0)
	c.BuryInterdayLearning = maybe(r, "buryInterdayLearning", asBool, false)
	c.FSRSParams4 = maybe(r, "fsrsWeights", asList(asF32), nil)
	c.FSRSParams5 = maybe(r, "fsrsParams5", asList(asF32), nil)
	c.FSRSParams6 = maybe(r, "fsrsParams6", asList(asF32), nil)
	c.DesiredRetention = maybe(r, "desiredRetention", asF32, 0)
	c.IgnoreRevlogsBeforeDate = maybe(r, "ignoreRevlogsBeforeDate", asString, "")
	c.EasyDaysPercentages = maybe(r, "easyDaysPercentages", asList(asF32), nil)
	c.StopTimerOnAnswer = maybe(r, "stopTimerOnAnswer", asBool, false)
	c.SecondsToShowQuestion = maybe(r, "secondsToShowQuestion", asF32, 0)
	c.SecondsToShowAnswer = maybe(r, "secondsToShowAnswer", asF32, 0)
	c.QuestionAction = maybe(r, "questionAction", asUpTo(lastQuestionAction), 0)
	c.AnswerAction = maybe(r, "answerAction", asUpTo(lastAnswerAction), 0)
	c.WaitForAudio = maybe(r, "waitForAudio", asBool, true)
	c.HistoricalRetention = maybe(r, "sm2Retention", asF32, 0)
	c.ParamSearch = maybe(r, "weightSearch", asString, "")
}

// readSection reads a nested object with read, which works on a copy of c, and
// returns the keys that it does not know. A bad section leaves the defaults of
// the same keys and nothing else, or is an error of a strict reader.
func readSection(r *reader, key string, c *DeckConfigInner, read func(*reader, *DeckConfigInner)) object {
	v := r.take(key)
	if v == nil {
		r.fail(key, "is missing")
		return nil
	}
	if o, ok := asObject(v); ok {
		in := &reader{o: o, what: key, strict: r.strict}
		try := *c
		if read(in, &try); in.err == nil {
			*c = try
			return in.o
		}
	}
	if r.strict {
		r.fail(key, "cannot be read")
		return nil
	}
	def := sectionDefaults(key)
	read(&reader{o: def}, c)
	return nil
}

// sectionDefaults are the defaults of the sections, in their own notation.
func sectionDefaults(key string) object {
	o, _ := asObject(json.RawMessage(map[string]string{
		"new":   `{"bury":false,"delays":[1,10],"initialFactor":2500,"ints":[1,4,0],"order":1,"perDay":20}`,
		"rev":   `{"bury":false,"ease4":1.3,"ivlFct":1,"maxIvl":36500,"perDay":200,"hardFactor":1.2}`,
		"lapse": `{"delays":[10],"leechAction":1,"leechFails":8,"minInt":1,"mult":0}`,
	}[key]))
	return o
}

func readNew(r *reader, c *DeckConfigInner) {
	c.BuryNew = maybe(r, "bury", asBool, false)
	c.LearnSteps = mustLax(r, "delays", asList(asF32), nil)
	c.InitialEase = float32(must(r, "initialFactor", asU16)) / 1000
	ints := mustLax(r, "ints", asInts, [2]uint32{1, 4})
	c.GraduatingIntervalGood, c.GraduatingIntervalEasy = ints[0], ints[1]
	c.NewCardInsertOrder = mustLax(r, "order", asNewOrder, 0)
	c.NewPerDay = mustLax(r, "perDay", asU32, 0)
}

// asInts reads [good, easy, unused], of which the last may be missing.
func asInts(v json.RawMessage) ([2]uint32, bool) {
	l, ok := asList(asU16)(v)
	if !ok || len(l) < 2 {
		return [2]uint32{}, false
	}
	return [2]uint32{l[0], l[1]}, true
}

// asNewOrder turns JSON's 1 = due, 0 = random into protobuf's opposite.
func asNewOrder(v json.RawMessage) (int32, bool) {
	n, ok := asInt(v, 0, 1)
	return 1 - int32(n), ok
}

func readRev(r *reader, c *DeckConfigInner) {
	c.BuryReviews = maybe(r, "bury", asBool, false)
	c.EasyMultiplier = must(r, "ease4", asF32)
	c.IntervalMultiplier = must(r, "ivlFct", asF32)
	c.MaximumReviewInterval = must(r, "maxIvl", asU32)
	c.ReviewsPerDay = mustLax(r, "perDay", asU32, 0)
	c.HardMultiplier = maybe(r, "hardFactor", asF32, 1.2)
}

func readLapse(r *reader, c *DeckConfigInner) {
	c.RelearnSteps = mustLax(r, "delays", asList(asF32), nil)
	c.LeechAction = mustLax(r, "leechAction", asUpTo(lastLeechAction), leechTagOnly)
	c.LeechThreshold = must(r, "leechFails", asU32)
	c.MinimumLapseInterval = must(r, "minInt", asU32)
	c.LapseMultiplier = must(r, "mult", asF32)
}

// asUpTo takes the values 0 to last of an enumeration.
func asUpTo(last int64) func(json.RawMessage) (int32, bool) {
	return func(v json.RawMessage) (int32, bool) {
		n, ok := asInt(v, 0, last)
		return int32(n), ok
	}
}

// JSON writes the schema-11 object, with all numbers brought into range.
func (d *DeckConfig) JSON() ([]byte, error) {
	c := d.Config.InRange()
	other := parseOther(c.Other)
	w := newWriter()
	w.int("id", d.ID)
	w.int("mod", d.Mtime)
	w.str("name", d.Name)
	w.int("usn", int64(d.USN))
	w.int("maxTaken", int64(int32(c.CapAnswerTimeToSecs)))
	w.bool("autoplay", !c.DisableAutoplay)
	w.int("timer", asDigit(c.ShowTimer))
	w.bool("replayq", !c.SkipQuestionWhenReplayingAnswer)
	w.raw("new", newJSON(&c, other))
	w.raw("rev", revJSON(&c, other))
	w.raw("lapse", lapseJSON(&c, other))
	w.bool("dyn", false)
	writeNewerKeys(w, &c)
	w.others(other)
	return w.done(), nil
}

// enum writes a value of an enumeration; one that no client knows is the first,
// as current clients read it.
func (w *writer) enum(k string, v, last int32) {
	if v < 0 || v > last {
		v = 0
	}
	w.int(k, int64(v))
}

func asDigit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func newJSON(c *DeckConfigInner, other object) []byte {
	w := newWriter()
	w.bool("bury", c.BuryNew)
	w.f32s("delays", c.LearnSteps)
	w.int("initialFactor", int64(min(saturate32(c.InitialEase*1000), math.MaxUint16)))
	ints := strconv.AppendUint([]byte{'['}, uint64(uint16(c.GraduatingIntervalGood)), 10)
	ints = strconv.AppendUint(append(ints, ','), uint64(uint16(c.GraduatingIntervalEasy)), 10)
	w.raw("ints", append(ints, ",0]"...))
	order := int64(1)
	if c.NewCardInsertOrder == 1 {
		order = 0
	}
	w.int("order", order)
	w.int("perDay", int64(c.NewPerDay))
	return w.section(other, "new")
}

func revJSON(c *DeckConfigInner, other object) []byte {
	w := newWriter()
	w.bool("bury", c.BuryReviews)
	w.f32("ease4", c.EasyMultiplier)
	w.f32("ivlFct", c.IntervalMultiplier)
	w.int("maxIvl", int64(c.MaximumReviewInterval))
	w.int("perDay", int64(c.ReviewsPerDay))
	w.f32("hardFactor", c.HardMultiplier)
	return w.section(other, "rev")
}

func lapseJSON(c *DeckConfigInner, other object) []byte {
	w := newWriter()
	w.f32s("delays", c.RelearnSteps)
	w.enum("leechAction", c.LeechAction, lastLeechAction)
	w.int("leechFails", int64(c.LeechThreshold))
	w.int("minInt", int64(c.MinimumLapseInterval))
	w.f32("mult", c.LapseMultiplier)
	return w.section(other, "lapse")
}

// section adds what `other` holds under key and closes the nested object.
func (w *writer) section(other object, key string) []byte {
	if o, ok := asObject(other[key]); ok {
		w.others(o)
	}
	return w.done()
}

func writeNewerKeys(w *writer, c *DeckConfigInner) {
	w.int("newMix", int64(c.NewMix))
	w.int("newPerDayMinimum", int64(c.NewPerDayMinimum))
	w.int("interdayLearningMix", int64(c.InterdayLearningMix))
	w.int("reviewOrder", int64(c.ReviewOrder))
	w.int("newSortOrder", int64(c.NewCardSortOrder))
	w.int("newGatherPriority", int64(c.NewCardGatherPriority))
	w.bool("buryInterdayLearning", c.BuryInterdayLearning)
	w.f32s("fsrsWeights", c.FSRSParams4)
	w.f32s("fsrsParams5", c.FSRSParams5)
	w.f32s("fsrsParams6", c.FSRSParams6)
	w.f32("desiredRetention", c.DesiredRetention)
	w.str("ignoreRevlogsBeforeDate", c.IgnoreRevlogsBeforeDate)
	w.f32s("easyDaysPercentages", c.EasyDaysPercentages)
	w.bool("stopTimerOnAnswer", c.StopTimerOnAnswer)
	w.f32("secondsToShowQuestion", c.SecondsToShowQuestion)
	w.f32("secondsToShowAnswer", c.SecondsToShowAnswer)
	w.enum("questionAction", c.QuestionAction, lastQuestionAction)
	w.enum("answerAction", c.AnswerAction, lastAnswerAction)
	w.bool("waitForAudio", c.WaitForAudio)
	w.f32("sm2Retention", c.HistoricalRetention)
	w.str("weightSearch", c.ParamSearch)
}
