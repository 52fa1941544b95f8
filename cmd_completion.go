package main

import (
	"errors"
	"io"

	"github.com/urfave/cli/v2"
)

func cmdCompletion() *cli.Command {
	scripts := map[string]string{"bash": bashCompletion, "zsh": zshCompletion}
	return &cli.Command{
		Name:        "completion",
		Usage:       "write the completion script of a shell",
		ArgsUsage:   "bash|zsh|fish",
		Description: "For example: source <(ankisyncd completion bash)",
		Category:    categoryOperation,
		Action: func(c *cli.Context) error {
			shell := c.Args().First()
			text, ok := scripts[shell]
			if shell == "fish" {
				var err error
				if text, err = c.App.ToFishCompletion(); err != nil {
					return err
				}
				ok = true
			}
			if !ok {
				return errors.New("completion: name a shell: bash, zsh or fish")
			}
			_, err := io.WriteString(c.App.Writer, text)
			return err
		},
	}
}

// The scripts ask the program itself what may follow: it answers to
// --generate-bash-completion as the last argument, with a name a line.
const (
	bashCompletion = `# bash completion for ankisyncd
_ankisyncd() {
    local cur="${COMP_WORDS[COMP_CWORD]}" words
    words=$("${COMP_WORDS[@]:0:COMP_CWORD}" --generate-bash-completion 2>/dev/null)
    if [[ $cur == -* ]]; then
        words=$("${COMP_WORDS[@]:0:COMP_CWORD}" "$cur" --generate-bash-completion 2>/dev/null)
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o bashdefault -o default -F _ankisyncd ankisyncd
`
	zshCompletion = `#compdef ankisyncd
_ankisyncd() {
    local -a found
    if [[ ${words[CURRENT]} == -* ]]; then
        found=("${(@f)$("${(@)words[1,CURRENT]}" --generate-bash-completion 2>/dev/null)}")
    else
        found=("${(@f)$("${(@)words[1,CURRENT-1]}" --generate-bash-completion 2>/dev/null)}")
    fi
    if [[ -n ${found[1]} ]]; then
        compadd -- "${(@)found%%:*}"
    else
        _files
    fi
}
if [[ ${funcstack[1]} == _ankisyncd ]]; then _ankisyncd "$@"; else compdef _ankisyncd ankisyncd; fi
`
)
