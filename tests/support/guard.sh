# guard.sh FOLDER COMMAND [ARGUMENT...]
# Runs COMMAND until it ends by itself or standard input is closed, which also happens when the test process is gone,
# however it went. Then COMMAND gets SIGTERM, and SIGKILL after five seconds. At last FOLDER is removed.
# FOLDER/pid has the command's process id.

# Ctrl-C goes to everyone in the terminal: the command is ended in order all the same.
trap '' INT HUP

folder=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
command=$!
echo "$command" >"$folder/pid.new" && mv "$folder/pid.new" "$folder/pid"

(
    while read -r _ <&3; do :; done
    kill -TERM "$command" 2>/dev/null
    tenths=0
    while [ "$tenths" -lt 50 ] && kill -0 "$command" 2>/dev/null; do
        sleep 0.1
        tenths=$((tenths + 1))
    done
    kill -KILL "$command" 2>/dev/null
) &
watch=$!

wait "$command"
code=$?
kill "$watch" 2>/dev/null
rm -rf "$folder"
exit "$code"
