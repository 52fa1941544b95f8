// Package search is Anki's search language: a parser of what users type into a
// search box, and a compiler of the parsed tree into one SQL statement over a
// collection of schema 18 (docs/collection-format.md §2).
//
//	node, err := search.Parse(`deck:French -is:suspended prop:ivl>=10`)
//	st, err := search.Compile(ctx, node, catalog, search.Options{Items: search.Cards, Now: now, …})
//	rows, err := db.QueryContext(ctx, st.SQL, st.Args...)
//
// The room runs no queries. What it must know beyond the rows it searches
// (fields of notetypes, decks of a preset, the current deck) it asks of a
// [Catalog], and only for searches that need it. Every value that a user typed
// is a bound parameter. The statements use SQL functions of this package, which
// are registered with the driver when the package is initialised and exist on
// every connection opened afterwards.
//
// # The language
//
// Terms are separated by spaces and joined by "and"; "or" binds weaker, "-"
// negates, parentheses group, double quotes keep spaces. A term without a colon
// is searched for in all fields. "*" stands for any run of characters and "_"
// for one; a backslash takes the meaning from \ " : * _ ( ) and -.
//
//	deck:name  tag:name  tag:none  tag:re:x  tag:nc:x  note:name  card:name|number
//	is:new|learn|review|due|suspended|buried|buried-manually|buried-sibling
//	prop:ivl|due|reps|lapses|ease|pos|s|d|r|rated|resched|cdn:key|cds:key  = != < > <= >=
//	rated:days[:button]  resched:days  added:days  edited:days  introduced:days
//	flag:0-7  nid:ids  cid:ids  did:ids  mid:id  dupe:mid,text  has-cd:key  preset:name
//	field:text  field:re:x  field:nc:x  re:x  nc:text  sc:text  w:text
//
// # Where it differs from the client on purpose
//
//   - did: and sc: keep their meaning when they are negated or stand beside
//     other terms; the client forgets parentheses in the SQL of these two.
//   - A regular expression that does not compile is an error wherever it
//     stands; the client notices it only if a row is compared with it. It does
//     not notice "-and" and "prop:s>inf" before the SQL fails.
//   - Regular expressions run on Go's engine, in linear time as in the client,
//     and are translated first: \d, \w, \s and \b mean Unicode there. Refused
//     are class algebra ([a&&b], nested classes), the flags x, R and -u, more
//     than 1000 repetitions, and of the properties \p{age=…}, \p{scx=…},
//     \p{gcb=…} and the like, \p{Emoji} and others that Go has no tables of,
//     and a few that are negated inside brackets ([\P{Alphabetic}]).
//   - "prop:d<1e38" and the like, where the client's SQL has no number, find
//     what they say.
//   - Length, nesting, number of terms and size of regular expressions are
//     bounded ([MaxQueryBytes] and the constants beside it).
//
// It may import schema and sqlite. It must never know of HTTP, of files or of
// who asks.
package search
