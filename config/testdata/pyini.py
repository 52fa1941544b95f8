"""Records what Python's configparser makes of the cases below: pyini.json.

    python3 config/testdata/pyini.py > config/testdata/pyini.json
"""
import configparser, json, sys

S = "[sync_app]\n"
cases = {
    "plain": S + "host = 0.0.0.0\nport = 27701\n",
    "no spaces": S + "host=0.0.0.0\nport:27701\n",
    "colon first": S + "a : b = c\n",
    "equals first": S + "a = b : c\n",
    "no section": "host = 1\n",
    "comment before section": "# x\n; y\n\n" + S + "a = 1\n",
    "case of keys": S + "HoSt = A\n",
    "case of section": "[Sync_App]\nhost = 1\n",
    "inline comment kept": S + "port = 27701 ; x\nhost = a # b\n",
    "indented comments": S + "a = 1\n  # c\n\t; d\nb = 2\n",
    "continuation": S + "a = 1\n  2\n\t3\nb = 4\n",
    "continuation with blank": S + "a = 1\n\n  2\n\n\nb = 4\n",
    "continuation with comment": S + "a = 1\n# c\n  2\nb = 4\n",
    "continuation of empty": S + "a =\n  1\n  2\n",
    "continuation looks like key": S + "a = 1\n  b = 2\n",
    "continuation looks like section": S + "a = 1\n  [x]\nb = 2\n",
    "deeper key then shallower": S + "  a = 1\n b = 2\nc = 3\n",
    "indented section": "  [sync_app]\n  a = 1\n    more\n",
    "key indented under indented section": "  [sync_app]\n    a = 1\n    b = 2\n",
    "trailing blanks": S + "a = x   \nb = y\t\n",
    "tabs around": S + "a\t=\tx\n",
    "quotes stay": S + "a = \"x\"\nb = 'y'\nc = `z`\nd = \"\"\"q\"\"\"\n",
    "quoted key": S + "\"a\" = 1\n",
    "dash key": S + "- = 1\n",
    "backslash": S + "a = x\\\nb = y\n",
    "duplicate key": S + "a = 1\na = 2\n",
    "duplicate key other case": S + "a = 1\nA = 2\n",
    "duplicate section": S + "a = 1\n" + S + "b = 2\n",
    "default inherited": "[DEFAULT]\na = 1\n" + S + "b = 2\n",
    "default overridden": "[DEFAULT]\na = 1\n" + S + "a = 2\n",
    "default after": S + "b = 2\n[DEFAULT]\na = 1\n",
    "default twice": "[DEFAULT]\na = 1\n[DEFAULT]\nb = 1\n" + S,
    "default duplicate key": "[DEFAULT]\na = 1\n[DEFAULT]\na = 1\n" + S,
    "default lower case": "[default]\na = 1\n" + S + "b = 1\n",
    "key without value": S + "a\n",
    "empty value": S + "a =\nb = 1\n",
    "empty key": S + "= 1\n",
    "empty key colon": S + ": 1\nb = 2\n",
    "empty section": "[]\na = 1\n",
    "bracket section": "[]]\na = 1\n",
    "section with rest": "[sync_app] trailing\na = 1\n",
    "section with brackets": "[a]b]\nc = 1\n",
    "section with comment": "[sync_app] ; [x]\na = 1\n",
    "unclosed section": "[sync_app\na = 1\n",
    "unclosed section as key": S + "[x = 1\n",
    "percent doubled": S + "a = 50%%\n",
    "percent alone": S + "a = 50%\n",
    "percent alone other key": S + "a = 50%\nb = 1\n",
    "reference": S + "a = /x\nb = %(a)s/y\n",
    "reference upper": S + "a = /x\nb = %(A)s/y\n",
    "reference default": "[DEFAULT]\nroot = /x\n" + S + "b = %(root)s/y\n",
    "reference chain": S + "a = 1\nb = %(a)s2\nc = %(b)s3\n",
    "reference missing": S + "b = %(nope)s\n",
    "reference unclosed": S + "b = %(nope\n",
    "reference wrong letter": S + "a = 1\nb = %(a)d\n",
    "reference empty": S + "b = %()s\n",
    "reference circle": S + "a = %(b)s\nb = %(a)s\n",
    "reference deep 9": S + "a0 = x\n" + "".join(f"a{i} = %(a{i-1})s\n" for i in range(1, 10)),
    "reference deep 10": S + "a0 = x\n" + "".join(f"a{i} = %(a{i-1})s\n" for i in range(1, 11)),
    "reference deep 11": S + "a0 = x\n" + "".join(f"a{i} = %(a{i-1})s\n" for i in range(1, 12)),
    "reference to percent": S + "a = 50%%\nb = %(a)s\n",
    "crlf": S.replace("\n", "\r\n") + "a = 1\r\nb = 2\r\n",
    "cr only": "[sync_app]\ra = 1\rb = 2\r",
    "no final newline": S + "a = 1",
    "unicode": S + "ключ = значение\na = café 日本\n",
    "unicode upper key": S + "ÜBER = 1\n",
    "no-break space": S + "a = \u00a0x\u00a0\n",
    "file separator": S + "a = \x1cx\x1c\n",
    "vertical tab": S + "a = x\x0b\n",
    "form feed line": S + "a = 1\n\x0c\nb = 2\n",
    "next line character": S + "a = x\u0085y\n",
    "empty file": "",
    "only section": S,
    "dollar": S + "a = $HOME ${HOME}\n",
    "semicolon key": S + ";a = 1\nb = 1\n",
    "hash in key": S + "a#b = 1\n",
    "space in key": S + "a b = 1\n",
    "space in section": "[ sync_app ]\na = 1\n",
    "bad line then good": S + "oops\na = 1\n",
    "section in value": S + "a = [x]\n",
    "two equals": S + "a == 1\n",
    "brackets key": S + "a] = 1\n",
    "mixed indent": S + "a = 1\n\tb\n        c\n",
    "comment ends nothing": S + "a = 1\n#c\n\n  2\n",
    "value of comment sign": S + "a = # b\nc = ;d\n",
}

def run(text):
    import io
    p = configparser.ConfigParser()
    try:
        p.read_file(io.StringIO(text, newline=None))
    except configparser.Error as e:
        return {"error": type(e).__name__}
    out = {}
    for s in p.sections():
        out[s] = {}
        for k in p[s]:
            try:
                out[s][k] = {"value": p.get(s, k)}
            except configparser.Error as e:
                out[s][k] = {"error": type(e).__name__}
    return {"sections": out}

json.dump([dict(name=n, text=t, **run(t)) for n, t in cases.items()],
          sys.stdout, indent=1, ensure_ascii=False)
print()
