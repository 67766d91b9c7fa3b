echo "greet $(wc -c < greet.sh | tr -d ' ') ($PWD)"
echo
cat <<END
Usage: greet [OPTIONS] [NAME]

Options:
  -q, --quiet  Say nothing
  -h, --help   Print help
END
