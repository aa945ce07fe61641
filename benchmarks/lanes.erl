%% The peer of actors/lane.py: one sender tells N processes, in rounds, and waits until all is handled.
%%
%% A process counts its messages, as the Python actors do. The last message of each adds 1 to a shared counter, and the
%% last of all reports to the sender: one atomic operation a process, so that the telling is what is measured.
-module(lanes).
-export([main/1]).

main([Actors, Rounds, Order]) ->
    N = list_to_integer(Actors),
    K = list_to_integer(Rounds),
    Done = atomics:new(1, []),
    Sender = self(),
    Begun = erlang:monotonic_time(microsecond),
    Pids = [spawn(fun() -> count(0, K, N, Done, Sender) end) || _ <- lists:seq(1, N)],
    Started = erlang:monotonic_time(microsecond),
    {memory, Bytes} = process_info(hd(Pids), memory),
    Told = case Order of
        "started" -> Pids;
        "any" -> [Pid || {_, Pid} <- lists:sort([{rand:uniform(), Pid} || Pid <- Pids])]
    end,
    erlang:garbage_collect(),
    timer:sleep(200),
    From = erlang:monotonic_time(microsecond),
    tell_rounds(K, Told),
    receive done -> ok end,
    To = erlang:monotonic_time(microsecond),
    io:format("{\"rate\": ~p, \"bytes\": ~p, \"start_s\": ~p}~n",
              [N * K * 1000000 / (To - From), Bytes, (Started - Begun) / 1000000]),
    halt().

tell_rounds(0, _) -> ok;
tell_rounds(K, Pids) ->
    tell(Pids),
    tell_rounds(K - 1, Pids).

tell([]) -> ok;
tell([Pid | Pids]) ->
    Pid ! {event, 1},
    tell(Pids).

count(Counted, K, N, Done, Sender) ->
    receive
        {event, Add} when Counted + Add =:= K ->
            case atomics:add_get(Done, 1, 1) of
                N -> Sender ! done;
                _ -> ok
            end,
            idle();
        {event, Add} ->
            count(Counted + Add, K, N, Done, Sender)
    end.

idle() ->
    receive stop -> ok end.
