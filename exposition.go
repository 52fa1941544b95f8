package main

import (
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// What follows is as much of Prometheus's text format (version 0.0.4) as
// /metrics needs. Its client library would be an eighth of this program.

// family is a metric: a counter, a gauge or a histogram for each combination of
// its labels' values.
type family struct {
	name, help, kind string
	labels           []string // in alphabetical order
	buckets          []float64

	mu     sync.Mutex
	series map[string]*series // by the labels as they are written
}

type series struct {
	value  float64  // of a histogram the sum
	counts []uint64 // observations by bucket, and last those beyond all; not cumulative
}

func newFamily(kind, name, help string, labels ...string) *family {
	return &family{kind: kind, name: name, help: help, labels: labels, series: map[string]*series{}}
}

func newHistogram(name, help string, buckets []float64, labels ...string) *family {
	f := newFamily("histogram", name, help, labels...)
	f.buckets = buckets
	return f
}

// at returns the series of the labels' values. The caller holds f.mu.
func (f *family) at(values []string) *series {
	key := labelText(f.labels, values)
	s := f.series[key]
	if s == nil {
		s = &series{}
		if f.buckets != nil {
			s.counts = make([]uint64, len(f.buckets)+1)
		}
		f.series[key] = s
	}
	return s
}

// add adds v to a counter or gauge.
func (f *family) add(v float64, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(values).value += v
}

// observe counts v in a histogram.
func (f *family) observe(v float64, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.at(values)
	s.value += v
	i, _ := slices.BinarySearch(f.buckets, v) // a bucket's bound belongs to it
	s.counts[i]++
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// labelText writes labels without their braces.
func labelText(names, values []string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name)
		b.WriteString(`="`)
		b.WriteString(labelEscaper.Replace(strings.ToValidUTF8(values[i], "�")))
		b.WriteByte('"')
	}
	return b.String()
}

// write writes the family, in the order of the labels' values. One with labels
// of which nothing is known yet is left out.
func (f *family) write(w *strings.Builder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.series) == 0 && len(f.labels) > 0 {
		return
	}
	head(w, f.kind, f.name, f.help)
	keys := make([]string, 0, len(f.series))
	for key := range f.series {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		s := f.series[key]
		if f.buckets == nil {
			sample(w, f.name, key, s.value)
			continue
		}
		sep := ","
		if key == "" {
			sep = ""
		}
		total := uint64(0)
		for i, n := range s.counts {
			bound := math.Inf(1)
			if i < len(f.buckets) {
				bound = f.buckets[i]
			}
			total += n
			sample(w, f.name+"_bucket", key+sep+`le="`+number(bound)+`"`, float64(total))
		}
		sample(w, f.name+"_sum", key, s.value)
		sample(w, f.name+"_count", key, float64(total))
	}
}

func head(w *strings.Builder, kind, name, help string) {
	w.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

func sample(w *strings.Builder, name, labels string, v float64) {
	w.WriteString(name)
	if labels != "" {
		w.WriteString("{" + labels + "}")
	}
	w.WriteString(" " + number(v) + "\n")
}

// number writes a value as Prometheus reads it.
func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// gauge is a number that is looked up when it is asked for.
type gauge struct {
	name, help string
	value      func() float64
}

// exposition is everything that /metrics shows.
type exposition struct {
	mu       sync.Mutex
	families []*family
	gauges   []gauge
	others   []func(*strings.Builder) // write metrics of their own
}

// ServeHTTP implements http.Handler.
func (e *exposition) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var b strings.Builder
	e.mu.Lock()
	families, gauges, others := e.families, e.gauges, e.others
	e.mu.Unlock()
	for _, f := range families {
		f.write(&b)
	}
	for _, g := range gauges {
		head(&b, "gauge", g.name, g.help)
		sample(&b, g.name, "", g.value())
	}
	for _, write := range others {
		write(&b)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = io.WriteString(w, b.String()) // who asked has gone
}
