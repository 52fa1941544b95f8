package api

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// page writes the parts of a report.
type page struct {
	s             *stats
	width, height int
}

func (p page) part(name string) string {
	switch name {
	case "today":
		return p.today()
	case "due":
		return p.due()
	case "reps":
		return p.reps()
	case "interval":
		return p.interval()
	case "hourly":
		return p.hourly()
	case "ease":
		return p.ease()
	case "card":
		return p.card()
	}
	return p.footer()
}

func (p page) today() string {
	d := p.s.today
	var b strings.Builder
	fmt.Fprintf(&b, "<h1>Today</h1>Studied <b><!--studied-->%s</b> in <b>%s</b> today.", count(d.cards, "card"),
		languages["en"].span(float64(d.millis)/1000))
	fmt.Fprintf(&b, "<br>Again count: <b>%d</b>", d.failed)
	if d.cards > 0 {
		fmt.Fprintf(&b, " <b>(%.1f%% correct)</b>", percent(d.cards-d.failed, d.cards))
	}
	fmt.Fprintf(&b, "<br>Learn: <b>%d</b>, Review: <b>%d</b>, Relearn: <b>%d</b>, Filtered: <b>%d</b>", d.learn, d.rev, d.again, d.cram)
	if d.mature > 0 {
		fmt.Fprintf(&b, "<br>Correct answers on mature cards: %d/%d (%.1f%%)", d.matureRight, d.mature, percent(d.matureRight, d.mature))
	} else {
		b.WriteString("<br>No mature cards were studied today.")
	}
	return b.String()
}

func (p page) due() string {
	young, mature := series{name: "Young", color: "#7c7"}, series{name: "Mature", color: "#070"}
	total := 0
	for _, d := range p.s.due {
		young.values = append(young.values, float64(d[0]))
		mature.values = append(mature.values, float64(d[1]))
		total += d[0] + d[1]
	}
	average := ""
	if total > 0 {
		average = fmt.Sprintf("%.1f reviews/day", float64(total)/statDays)
	}
	tomorrow := p.s.due[1][0] + p.s.due[1][1]
	return "<h1>Forecast</h1>The number of reviews due in the future.\n" +
		p.bars(func(i int) string { return fmt.Sprintf("%dd", i) }, mature, young) +
		table([2]string{"Total:", count(total, "review")}, [2]string{"Average:", average},
			[2]string{"Due tomorrow:", count(tomorrow, "card")})
}

// daysAgo are the series of reviews, the oldest day first.
func (p page) daysAgo(value func(day, class int) float64) []series {
	all := []series{
		{name: "Mature", color: "#070"}, {name: "Young", color: "#7c7"}, {name: "Relearn", color: "#c00"},
		{name: "Learn", color: "#00F"}, {name: "Cram", color: "#ff0"},
	}
	for i, class := range []int{classMature, classYoung, classRelearn, classLearn, classFiltered} {
		for day := statDays - 1; day >= 0; day-- {
			all[i].values = append(all[i].values, value(day, class))
		}
	}
	return all
}

func (p page) reps() string {
	total, studied, minutes := 0, 0, 0.0
	for day := range p.s.reps {
		n := 0
		for class, c := range p.s.reps[day] {
			n += c
			minutes += float64(p.s.millis[day][class]) / 60000
		}
		total += n
		studied += b2i(n > 0)
	}
	label := func(i int) string { return fmt.Sprintf("%dd", i-statDays+1) }
	days := fmt.Sprintf("%d of %d", studied, statDays)
	return "<h1>Review Count</h1>The number of questions you have answered.\n" +
		p.bars(label, p.daysAgo(func(d, c int) float64 { return float64(p.s.reps[d][c]) })...) +
		table([2]string{"Days studied:", days}, [2]string{"Total:", count(total, "review")},
			[2]string{"Average for days studied:", fmt.Sprintf("%.1f reviews/day", ratio(float64(total), studied))}) +
		"<h1>Review Time</h1>The time taken to answer the questions.\n" +
		p.bars(label, p.daysAgo(func(d, c int) float64 { return float64(p.s.millis[d][c]) / 60000 })...) +
		table([2]string{"Days studied:", days}, [2]string{"Total:", fmt.Sprintf("%.1f minutes", minutes)},
			[2]string{"Average for days studied:", fmt.Sprintf("%.1f minutes/day", ratio(minutes, studied))})
}

func (p page) interval() string {
	s := series{name: "Cards", color: "#077", values: make([]float64, statDays)}
	var n int
	var sum, longest int64
	for ivl, cards := range p.s.intervals {
		if ivl >= 0 && ivl < statDays {
			s.values[ivl] += float64(cards)
		}
		n += cards
		sum += ivl * int64(cards)
		longest = max(longest, ivl)
	}
	en := languages["en"]
	return "<h1>Intervals</h1>Delays until reviews are shown again.\n" +
		p.bars(func(i int) string { return fmt.Sprintf("%dd", i) }, s) +
		table([2]string{"Average interval:", en.span(ratio(float64(sum), n) * 86400)},
			[2]string{"Longest interval:", en.span(float64(longest) * 86400)})
}

// hourly shows hours with more than 30 reviews, if these are four at least, as in
// the original; its day began at four as well.
func (p page) hourly() string {
	const first, few, enough = 4, 30, 4
	right, reviews := series{name: "% Correct", color: "#00F"}, series{name: "Reviews", color: "#ccc"}
	shown := 0
	for i := range p.s.hours {
		h := p.s.hours[(i+first)%24]
		if h[0] > few {
			shown++
		} else {
			h = [2]int{}
		}
		right.values = append(right.values, percent(h[1], h[0]))
		reviews.values = append(reviews.values, float64(h[0]))
	}
	if shown < enough {
		return ""
	}
	label := func(i int) string { return fmt.Sprintf("%d:00", (i+first)%24) }
	return "<h1>Hourly Breakdown</h1>Review success rate for each hour of the day.\n" +
		p.bars(label, right) + p.bars(label, reviews) + "Hours with less than 30 reviews are not shown."
}

func (p page) ease() string {
	var all []series
	var lines [][2]string
	for i, s := range []series{{name: "Learning", color: "#00F"}, {name: "Young", color: "#7c7"}, {name: "Mature", color: "#070"}} {
		s.values = make([]float64, 3*5)
		total := 0
		for ease := 1; ease <= 4; ease++ {
			s.values[i*5+ease-1] = float64(p.s.buttons[i][ease])
			total += p.s.buttons[i][ease]
		}
		right := total - p.s.buttons[i][1]
		lines = append(lines, [2]string{s.name + ":", fmt.Sprintf("Correct: %.2f%% (%d of %d)", percent(right, total), right, total)})
		all = append(all, s)
	}
	return "<h1>Answer Buttons</h1>The number of times you have pressed each button.\n" +
		p.bars(func(i int) string {
			if i%5 == 4 {
				return ""
			}
			return fmt.Sprint(i%5 + 1)
		}, all...) + table(lines...)
}

func (p page) card() string {
	total := 0
	names := []string{"Mature", "Young+Learn", "Unseen", "Suspended+Buried"}
	colors := []string{"#070", "#7c7", "#000", "#ff0"}
	var parts []series
	for i, n := range p.s.cards {
		total += n
		parts = append(parts, series{name: fmt.Sprintf("%s: %d", names[i], n), color: colors[i], values: []float64{float64(n)}})
	}
	lines := [][2]string{{"Total cards:", fmt.Sprint(total)}, {"Total notes:", fmt.Sprint(len(p.s.notes))}}
	if e := p.s.eases; e.n > 0 {
		lines = append(lines, [2]string{"Lowest ease:", fmt.Sprintf("%.0f%%", e.min)},
			[2]string{"Average ease:", fmt.Sprintf("%.0f%%", e.mean)}, [2]string{"Highest ease:", fmt.Sprintf("%.0f%%", e.max)})
	}
	rows := strings.Replace(table(lines...), "width=400", "width=100%", 1)
	return "<h1>Cards Types</h1>The division of cards in your deck(s).<table width=600><tr><td>\n" + p.pie(parts...) +
		"</td><td>" + rows + `<p>A card's <i>ease</i> is the size of the next interval when you answer "good" on a review.</td></table>`
}

func (p page) footer() string {
	return fmt.Sprintf("<br><br><font size=1>Generated on %s<br>Scope: %s<br>Period: 1 month",
		p.s.now.Format("Mon Jan 02 15:04:05 2006"), html.EscapeString(p.s.scope))
}

func table(lines ...[2]string) string {
	var b strings.Builder
	b.WriteString("<table width=400>")
	for _, l := range lines {
		fmt.Fprintf(&b, "<tr><td width=200 align=right>%s</td><td><b>%s</b></td></tr>", l[0], l[1])
	}
	return b.String() + "</table>"
}

// count is a number of things: "1 card", "2 cards".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func percent(part, whole int) float64 { return 100 * ratio(float64(part), whole) }

func ratio(sum float64, n int) float64 {
	if n == 0 {
		return 0
	}
	return sum / float64(n)
}

// series is one kind of bars.
type series struct {
	name, color string
	values      []float64
}

// bars draws series on top of each other, all of the same length.
func (p page) bars(label func(i int) string, all ...series) string {
	const left, bottom, top = 40, 20, 20
	n := len(all[0].values)
	sums := make([]float64, n)
	for _, s := range all {
		for i, v := range s.values {
			sums[i] += v
		}
	}
	most := math.Max(1, slices.Max(sums))
	w, h := float64(p.width-left), float64(p.height-bottom-top)
	step := w / float64(n)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-size="10">`, p.width, p.height, p.width, p.height)
	b.WriteString(legend(all, left))
	for _, part := range []float64{0, 0.5, 1} {
		y := float64(top) + h*(1-part)
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.4g</text>`, left, y, p.width, left-4, y+3, most*part)
	}
	clear(sums)
	for _, s := range all {
		for i, v := range s.values {
			if v <= 0 {
				continue
			}
			x, y := float64(left)+step*(float64(i)+0.1), float64(top)+h*(1-(sums[i]+v)/most)
			fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"><title>%s %s: %.4g</title></rect>`,
				x, y, step*0.8, h*v/most, s.color, label(i), s.name, v)
			sums[i] += v
		}
	}
	every := max(1, int(math.Ceil(36/step)))
	for i := 0; i < n; i += every {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, float64(left)+step*(float64(i)+0.5), p.height-6, label(i))
	}
	return b.String() + "</svg>\n"
}

func legend(all []series, x int) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, `<rect x="%d" y="4" width="10" height="10" fill="%s"/><text x="%d" y="13">%s</text>`, x, s.color, x+14, s.name)
		x += 28 + 6*len(s.name)
	}
	return b.String()
}

// pie draws the first value of each series as a part of a circle.
func (p page) pie(parts ...series) string {
	var sum float64
	for _, s := range parts {
		sum += s.values[0]
	}
	size := p.height + p.height/2
	r := float64(size)/2 - 10
	c := float64(size) / 2
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-size="10">`, size, size+20*len(parts), size, size+20*len(parts))
	angle := -math.Pi / 2
	for i, s := range parts {
		y := size + 20*i
		fmt.Fprintf(&b, `<rect x="10" y="%d" width="10" height="10" fill="%s"/><text x="26" y="%d">%s</text>`, y, s.color, y+9, s.name)
		share := 0.0
		if sum > 0 {
			share = s.values[0] / sum
		}
		if share <= 0 {
			continue
		}
		if share > 0.9999 {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`, c, c, r, s.color)
			continue
		}
		end := angle + 2*math.Pi*share
		fmt.Fprintf(&b, `<path d="M%.1f %.1fL%.1f %.1fA%.1f %.1f 0 %d 1 %.1f %.1fZ" fill="%s" stroke="#fff" stroke-width="2"/>`,
			c, c, c+r*math.Cos(angle), c+r*math.Sin(angle), r, r, b2i(share > 0.5), c+r*math.Cos(end), c+r*math.Sin(end), s.color)
		angle = end
	}
	return b.String() + "</svg>"
}
