"""LLVM IR text of the thread pool that runs kernel programs; `threads.py` says what it does.

A job is announced in @word: generation << 32 | chunks that nobody has taken. A thread takes the
chunk by compare-and-swap of the whole word, so that a late thread can't take a chunk of the next
job with the fields of the last. The fields in @job change only while no chunk is left. The last to
finish a chunk brings @done to the number of chunks, which is what the caller waits for; threads
that got none are not waited for at all.

Sleeping is a futex on the generation (and on @done for the caller); elsewhere a condition variable.
The order "store the word, then read @sleepers" against "add to @sleepers, then compare the word" is
sequentially consistent, hence one of both sides sees the other.
"""
from .threads_python_ir import PYTHON_IR

POOL_IR = r'''
@word = internal global i64 0, align 128
@done = internal global i32 0, align 128
@waiting = internal global i32 0, align 128
@job = internal global [8 x i64] zeroinitializer, align 128
@busy = internal global i32 0, align 128
@sleepers = internal global i32 0, align 128
@limit = internal global i64 1, align 128
@started = internal global i64 0, align 128
@mutex = internal global [128 x i8] zeroinitializer, align 128
@cond = internal global [128 x i8] zeroinitializer, align 128

declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i32 @clock_gettime(i32, ptr)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(i64)
declare i32 @pthread_sigmask(i32, ptr, ptr)

define internal i64 @now() noinline nounwind {
  %time = alloca [2 x i64]
  %status = call i32 @clock_gettime(i32 <CLOCK>, ptr %time)
  %seconds = load i64, ptr %time
  %at = getelementptr i64, ptr %time, i64 1
  %rest = load i64, ptr %at
  %whole = mul i64 %seconds, 1000000000
  %ns = add i64 %whole, %rest
  ret i64 %ns
}

define internal i32 @generation() nounwind {
  %word = load atomic i64, ptr @word seq_cst, align 8
  %high = lshr i64 %word, 32
  %generation = trunc i64 %high to i32
  ret i32 %generation
}

; Take chunks of the present job until none is left. The limit is read after the word: a thread that woke up for a job
; before must not have a number beyond the limit of this one.
define internal void @work(i64 %worker) noinline nounwind {
entry:
  br label %look
look:
  %word = load atomic i64, ptr @word seq_cst, align 8
  %left = and i64 %word, 4294967295
  %none = icmp eq i64 %left, 0
  br i1 %none, label %exit, label %some
some:
  %limit = load atomic i64, ptr @limit seq_cst, align 8
  %allowed = icmp slt i64 %worker, %limit
  br i1 %allowed, label %read, label %exit
read:
  %record = load atomic ptr, ptr @job monotonic, align 8
  %args = load atomic i64, ptr getelementptr (i64, ptr @job, i64 1) monotonic, align 8
  %step = load atomic i64, ptr getelementptr (i64, ptr @job, i64 2) monotonic, align 8
  %chunks = load atomic i64, ptr getelementptr (i64, ptr @job, i64 3) monotonic, align 8
  %numbered = load atomic i64, ptr getelementptr (i64, ptr @job, i64 4) monotonic, align 8
  %following = load atomic i64, ptr getelementptr (i64, ptr @job, i64 5) monotonic, align 8
  %less = sub i64 %word, 1
  %swap = cmpxchg ptr @word, i64 %word, i64 %less seq_cst seq_cst, align 8
  %taken = extractvalue { i64, i1 } %swap, 1
  br i1 %taken, label %do, label %look
do:
  %index = sub i64 %chunks, %left
  %by_range = icmp ne i64 %numbered, 0
  %number = select i1 %by_range, i64 %index, i64 %worker
  call void @range(ptr %record, i64 %args, i64 %step, i64 %index, i64 %number, i64 %following)
  %before = atomicrmw add ptr @done, i32 1 seq_cst
  %after = add i32 %before, 1
  %all = trunc i64 %chunks to i32
  %last = icmp eq i32 %after, %all
  br i1 %last, label %tell, label %look
tell:
  %someone = load atomic i32, ptr @waiting seq_cst, align 4
  %sleeping = icmp ne i32 %someone, 0
  br i1 %sleeping, label %call, label %look
call:
  call void @wake(ptr @done, i32 1)
  br label %look
exit:
  ret void
}

; A record's kernel on the items from %lo up to %hi, as far as there are so many. Without items it isn't called, unless
; the record has parts: each part has results.
define internal void @items(ptr %record, i64 %args, i64 %lo, i64 %hi, i64 %number) nounwind {
entry:
  %kernel = load ptr, ptr %record
  %p1 = getelementptr i64, ptr %record, i64 1
  %offset = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %record, i64 2
  %constants = load i64, ptr %p2
  %p3 = getelementptr i64, ptr %record, i64 3
  %extent = load i64, ptr %p3
  %slots = add i64 %args, %offset
  %from = call i64 @llvm.smin.i64(i64 %lo, i64 %extent)
  %to = call i64 @llvm.smin.i64(i64 %hi, i64 %extent)
  %p6 = getelementptr i64, ptr %record, i64 6
  %parts = load i64, ptr %p6
  %split = icmp sgt i64 %parts, 0
  %some = icmp slt i64 %from, %to
  %called = or i1 %split, %some
  br i1 %called, label %call, label %exit
call:
  call void %kernel(i64 %slots, i64 %constants, i64 %from, i64 %to, i64 %number)
  br label %exit
exit:
  ret void
}

; Range number %index of %step items, and then what the next record makes of it.
define internal void @range(ptr %record, i64 %args, i64 %step, i64 %index, i64 %number, i64 %following) nounwind {
entry:
  %lo = mul i64 %index, %step
  %hi = add i64 %lo, %step
  call void @items(ptr %record, i64 %args, i64 %lo, i64 %hi, i64 %number)
  %more = icmp sgt i64 %following, 0
  br i1 %more, label %follow, label %exit
follow:
  %next = getelementptr i64, ptr %record, i64 8
  %next_lo = mul i64 %lo, %following
  %next_hi = mul i64 %hi, %following
  call void @items(ptr %next, i64 %args, i64 %next_lo, i64 %next_hi, i64 %number)
  br label %exit
exit:
  ret void
}

define internal ptr @worker(ptr %argument) nounwind {
entry:
  %index = ptrtoint ptr %argument to i64
  br label %again
again:
  %seen = call i32 @generation()
  call void @work(i64 %index)
  call void @idle(i32 %seen)
  br label %again
}

; Until the generation is another than %seen: spin, then sleep.
define internal void @idle(i32 %seen) noinline nounwind {
entry:
  %start = call i64 @now()
  br label %spin
spin:
  %i = phi i32 [ 0, %entry ], [ %next, %more ]
  call void @pause()
  %generation = call i32 @generation()
  %new = icmp ne i32 %generation, %seen
  br i1 %new, label %exit, label %slow
slow:
  %next = add i32 %i, 1
  %some = and i32 %next, 31
  %look = icmp eq i32 %some, 0
  br i1 %look, label %clock, label %more
clock:
  %time = call i64 @now()
  %spent = sub i64 %time, %start
  %tired = icmp sgt i64 %spent, <SPIN>
  br i1 %tired, label %sleep, label %more
more:
  br label %spin
sleep:
  %before = atomicrmw add ptr @sleepers, i32 1 seq_cst
  call void @wait(ptr <HIGH>, i32 %seen)
  %after = atomicrmw sub ptr @sleepers, i32 1 seq_cst
  br label %exit
exit:
  ret void
}

; Until @done is %all: spin, then sleep.
define internal void @join(i32 %all) noinline nounwind {
entry:
  %start = call i64 @now()
  br label %spin
spin:
  %i = phi i32 [ 0, %entry ], [ %next, %more ]
  %done = load atomic i32, ptr @done seq_cst, align 4
  %ready = icmp eq i32 %done, %all
  br i1 %ready, label %exit, label %slow
slow:
  call void @pause()
  %next = add i32 %i, 1
  %some = and i32 %next, 31
  %look = icmp eq i32 %some, 0
  br i1 %look, label %clock, label %more
clock:
  %time = call i64 @now()
  %spent = sub i64 %time, %start
  %tired = icmp sgt i64 %spent, <SPIN>
  br i1 %tired, label %sleep, label %more
more:
  br label %spin
sleep:
  store atomic i32 1, ptr @waiting seq_cst, align 4
  %now = load atomic i32, ptr @done seq_cst, align 4
  %over = icmp eq i32 %now, %all
  br i1 %over, label %awake, label %doze
doze:
  call void @wait(ptr @done, i32 %now)
  br label %sleep
awake:
  store atomic i32 0, ptr @waiting seq_cst, align 4
  br label %exit
exit:
  ret void
}

; Announce a job, take part in it, wait for the rest. The caller holds @busy.
define internal void @share(ptr %record, i64 %args, i64 %step, i64 %chunks, i64 %numbered,
                            i64 %following) noinline nounwind {
entry:
  store atomic ptr %record, ptr @job monotonic, align 8
  store atomic i64 %args, ptr getelementptr (i64, ptr @job, i64 1) monotonic, align 8
  store atomic i64 %step, ptr getelementptr (i64, ptr @job, i64 2) monotonic, align 8
  store atomic i64 %chunks, ptr getelementptr (i64, ptr @job, i64 3) monotonic, align 8
  store atomic i64 %numbered, ptr getelementptr (i64, ptr @job, i64 4) monotonic, align 8
  store atomic i64 %following, ptr getelementptr (i64, ptr @job, i64 5) monotonic, align 8
  store atomic i32 0, ptr @done monotonic, align 4
  %old = call i32 @generation()
  %new = add i32 %old, 1
  %wide = zext i32 %new to i64
  %high = shl i64 %wide, 32
  %word = or i64 %high, %chunks
  store atomic i64 %word, ptr @word seq_cst, align 8
  %asleep = load atomic i32, ptr @sleepers seq_cst, align 4
  %any = icmp sgt i32 %asleep, 0
  br i1 %any, label %call, label %begin
call:
  ; Threads above the limit may be the ones that wake up: then wake all.
  %limit = load atomic i64, ptr @limit monotonic, align 8
  %started = load atomic i64, ptr @started monotonic, align 8
  %others = sub i64 %chunks, 1
  %exact = icmp slt i64 %started, %limit
  %many = select i1 %exact, i64 %others, i64 2147483647
  %count = call i64 @llvm.smin.i64(i64 %many, i64 2147483647)
  %count32 = trunc i64 %count to i32
  call void @wake(ptr <HIGH>, i32 %count32)
  br label %begin
begin:
  call void @work(i64 0)
  %all = trunc i64 %chunks to i32
  call void @join(i32 %all)
  ret void
}

; Start threads until there are %limit with the caller. Signals are left to Python's own threads.
define internal void @start(i64 %limit) noinline nounwind {
entry:
  %all = alloca [128 x i8], align 8
  %old = alloca [128 x i8], align 8
  %id = alloca i64
  %have = load atomic i64, ptr @started monotonic, align 8
  %first = add i64 %have, 1
  %need = icmp slt i64 %first, %limit
  br i1 %need, label %mask, label %exit
mask:
  call void @llvm.memset.p0.i64(ptr %all, i8 -1, i64 128, i1 false)
  %masked = call i32 @pthread_sigmask(i32 <SETMASK>, ptr %all, ptr %old)
  br label %create
create:
  %index = phi i64 [ %first, %mask ], [ %next, %created ]
  %argument = inttoptr i64 %index to ptr
  %status = call i32 @pthread_create(ptr %id, ptr null, ptr @worker, ptr %argument)
  %failed = icmp ne i32 %status, 0
  br i1 %failed, label %refused, label %created
refused:
  store atomic i64 %index, ptr @limit monotonic, align 8      ; do with those that there are
  br label %unmask
created:
  %thread = load i64, ptr %id
  %detached = call i32 @pthread_detach(i64 %thread)
  store atomic i64 %index, ptr @started monotonic, align 8
  %next = add i64 %index, 1
  %more = icmp slt i64 %next, %limit
  br i1 %more, label %create, label %unmask
unmask:
  %unmasked = call i32 @pthread_sigmask(i32 <SETMASK>, ptr %old, ptr null)
  br label %exit
exit:
  ret void
}

; One record, and the next with it where %following isn't 0. %size, the chunk's, is the extent over the number of
; chunks, aligned.
define internal void @launch(ptr %record, i64 %args, i64 %following) noinline nounwind {
entry:
  %p3 = getelementptr i64, ptr %record, i64 3
  %extent = load i64, ptr %p3
  %p4 = getelementptr i64, ptr %record, i64 4
  %grain0 = load i64, ptr %p4
  %p5 = getelementptr i64, ptr %record, i64 5
  %alignment0 = load i64, ptr %p5
  %p6 = getelementptr i64, ptr %record, i64 6
  %parts = load i64, ptr %p6
  %limit = load atomic i64, ptr @limit monotonic, align 8
  %large = icmp sgt i64 %extent, %grain0
  %threads = icmp sgt i64 %limit, 1
  %wide = and i1 %large, %threads
  %numbered = icmp sgt i64 %parts, 0
  %simple = or i1 %wide, %numbered
  br i1 %simple, label %split, label %whole
split:
  %grain = call i64 @llvm.smax.i64(i64 %grain0, i64 1)
  %alignment = call i64 @llvm.smax.i64(i64 %alignment0, i64 1)
  %worth = sdiv i64 %extent, %grain
  %most = mul i64 %limit, <CHUNKS>
  %some = call i64 @llvm.smin.i64(i64 %worth, i64 %most)
  %uneven = srem i64 %some, %limit
  %even = sub i64 %some, %uneven
  %few = icmp slt i64 %some, %limit
  %free0 = select i1 %few, i64 %some, i64 %even              ; as many for each thread
  %free = call i64 @llvm.smax.i64(i64 %free0, i64 1)
  %pieces = select i1 %numbered, i64 %parts, i64 %free
  %up = add i64 %extent, %pieces
  %up1 = sub i64 %up, 1
  %size0 = sdiv i64 %up1, %pieces
  %up2 = add i64 %size0, %alignment
  %up3 = sub i64 %up2, 1
  %blocks = sdiv i64 %up3, %alignment
  %size1 = mul i64 %blocks, %alignment
  %size = call i64 @llvm.smax.i64(i64 %size1, i64 1)
  %up4 = add i64 %extent, %size
  %up5 = sub i64 %up4, 1
  %filled = sdiv i64 %up5, %size
  %chunks = select i1 %numbered, i64 %parts, i64 %filled
  %several = icmp sgt i64 %chunks, 1
  %try = and i1 %wide, %several
  br i1 %try, label %take, label %alone
take:
  %swap = cmpxchg ptr @busy, i32 0, i32 1 seq_cst seq_cst, align 4
  %mine = extractvalue { i32, i1 } %swap, 1
  br i1 %mine, label %together, label %alone
together:
  call void @start(i64 %limit)
  %flag = zext i1 %numbered to i64
  call void @share(ptr %record, i64 %args, i64 %size, i64 %chunks, i64 %flag, i64 %following)
  store atomic i32 0, ptr @busy seq_cst, align 4
  ret void
alone:
  br i1 %numbered, label %each, label %whole
each:
  %i = phi i64 [ 0, %alone ], [ %i1, %each ]
  call void @range(ptr %record, i64 %args, i64 %size, i64 %i, i64 %i, i64 %following)
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %parts
  br i1 %more, label %each, label %exit
whole:
  call void @range(ptr %record, i64 %args, i64 %extent, i64 0, i64 0, i64 %following)
  ret void
exit:
  ret void
}

define void @lazy_run(ptr %records, i64 %count, i64 %args) noinline nounwind {
entry:
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %next, label %exit
next:
  %i = phi i64 [ 0, %entry ], [ %after, %next ]
  %at = mul i64 %i, 64
  %record = getelementptr i8, ptr %records, i64 %at
  %i1 = add i64 %i, 1
  %last = icmp sge i64 %i1, %count
  %p7 = getelementptr i64, ptr %record, i64 7
  %field = load i64, ptr %p7
  %following = select i1 %last, i64 0, i64 %field
  call void @launch(ptr %record, i64 %args, i64 %following)
  %two = icmp ne i64 %following, 0
  %skip = zext i1 %two to i64
  %after = add i64 %i1, %skip
  %more = icmp slt i64 %after, %count
  br i1 %more, label %next, label %exit
exit:
  ret void
}

define void @lazy_limit(i64 %limit) nounwind {
  store atomic i64 %limit, ptr @limit seq_cst, align 8
  ret void
}

; Wake who sleeps: there will be a job at once.
define void @lazy_alert() nounwind {
entry:
  %asleep = load atomic i32, ptr @sleepers seq_cst, align 4
  %any = icmp sgt i32 %asleep, 0
  br i1 %any, label %call, label %exit
call:
  call void @wake(ptr <HIGH>, i32 2147483647)
  br label %exit
exit:
  ret void
}

define i64 @lazy_started() nounwind {
  %started = load atomic i64, ptr @started seq_cst, align 8
  ret i64 %started
}

; In the child of a fork: its threads are gone, whatever they were doing.
define void @lazy_reset() nounwind {
  store atomic i64 0, ptr @word seq_cst, align 8
  store atomic i32 0, ptr @done seq_cst, align 4
  store atomic i32 0, ptr @waiting seq_cst, align 4
  store atomic i32 0, ptr @busy seq_cst, align 4
  store atomic i32 0, ptr @sleepers seq_cst, align 4
  store atomic i64 0, ptr @started seq_cst, align 8
  call void @init()
  ret void
}
'''

PAUSE_IR = {'x86_64': '''
declare void @llvm.x86.sse2.pause()
define internal void @pause() alwaysinline nounwind {
  call void @llvm.x86.sse2.pause()
  ret void
}
''', 'aarch64': '''
declare void @llvm.aarch64.hint(i32)
define internal void @pause() alwaysinline nounwind {
  call void @llvm.aarch64.hint(i32 1)
  ret void
}
'''}

FUTEX_IR = '''
declare i64 @syscall(i64, ...)
define internal void @wait(ptr %at, i32 %value) noinline nounwind {
  %status = call i64 (i64, ...) @syscall(i64 <FUTEX>, ptr %at, i64 128, i32 %value,
                                             ptr null, ptr null, i64 0)
  ret void
}
define internal void @wake(ptr %at, i32 %count) noinline nounwind {
  %status = call i64 (i64, ...) @syscall(i64 <FUTEX>, ptr %at, i64 129, i32 %count,
                                             ptr null, ptr null, i64 0)
  ret void
}
define internal void @init() noinline nounwind {
  ret void
}
'''

CONDITION_IR = '''
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)
define internal void @wait(ptr %at, i32 %value) noinline nounwind {
entry:
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  br label %look
look:
  %now = load atomic i32, ptr %at seq_cst, align 4
  %same = icmp eq i32 %now, %value
  br i1 %same, label %sleep, label %exit
sleep:
  %slept = call i32 @pthread_cond_wait(ptr @cond, ptr @mutex)
  br label %look
exit:
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}
define internal void @wake(ptr %at, i32 %count) noinline nounwind {
  %locked = call i32 @pthread_mutex_lock(ptr @mutex)
  %told = call i32 @pthread_cond_broadcast(ptr @cond)
  %unlocked = call i32 @pthread_mutex_unlock(ptr @mutex)
  ret void
}
define internal void @init() noinline nounwind {
  %mutex = call i32 @pthread_mutex_init(ptr @mutex, ptr null)
  %cond = call i32 @pthread_cond_init(ptr @cond, ptr null)
  ret void
}
'''


def text(arch, linux, futex, python, spin_ns, chunks_per_thread):
    """The IR text for an architecture and operating system.

    futex: sleep on Linux' futexes, else on a condition variable. python: with functions for Python
    to call.
    """
    parts = [POOL_IR, PAUSE_IR[arch], FUTEX_IR if futex else CONDITION_IR] + [PYTHON_IR] * python
    numbers = {'CLOCK': 1 if linux else 6,                 # CLOCK_MONOTONIC, here and on macOS
               'SETMASK': 2 if linux else 3,               # SIG_SETMASK
               'FUTEX': {'x86_64': 202, 'aarch64': 98}[arch],
               'SPIN': spin_ns, 'CHUNKS': chunks_per_thread,
               'HIGH': 'getelementptr (i8, ptr @word, i64 4)'}    # both are little-endian
    joined = ''.join(parts)
    for name, value in numbers.items():
        joined = joined.replace(f'<{name}>', str(value))
    return joined
