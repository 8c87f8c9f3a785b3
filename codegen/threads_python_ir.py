"""LLVM IR text of the functions by which Python calls the thread pool, see `threads_ir.py`.

Built-in functions of Python (METH_FASTCALL): object* f(object* self, object** arguments, i64 count).
"""

PYTHON_IR = r'''
@PyFloat_Type = external global i8
@PyExc_TypeError = external global ptr
@_Py_NoneStruct = external global i8
declare i64 @PyLong_AsUnsignedLongLongMask(ptr)
declare double @PyFloat_AsDouble(ptr)
declare ptr @PyErr_Occurred()
declare i32 @PyErr_ExceptionMatches(ptr)
declare void @PyErr_Clear()
declare void @PyErr_SetString(ptr, ptr)
declare void @Py_IncRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
@run_usage = internal constant [26 x i8] c"run(records, count, args)\00"
@call_usage = internal constant [28 x i8] c"call(records, count, *args)\00"

; The 64 bits of an int, or those of a float as float64. %ok is false with Python's error set.
define internal { i64, i1 } @bits(ptr %object) noinline nounwind {
entry:
  %type_at = getelementptr i8, ptr %object, i64 8
  %type = load ptr, ptr %type_at
  %float = icmp eq ptr %type, @PyFloat_Type
  br i1 %float, label %as_float, label %as_int
as_int:
  %int = call i64 @PyLong_AsUnsignedLongLongMask(ptr %object)
  %odd = icmp eq i64 %int, -1
  br i1 %odd, label %check, label %good_int
check:
  %error = call ptr @PyErr_Occurred()
  %fine = icmp eq ptr %error, null
  br i1 %fine, label %good_int, label %retry
retry:
  %type_error = load ptr, ptr @PyExc_TypeError
  %other = call i32 @PyErr_ExceptionMatches(ptr %type_error)
  %is_type = icmp ne i32 %other, 0
  br i1 %is_type, label %clear, label %bad
clear:
  call void @PyErr_Clear()
  br label %as_float
as_float:
  %double = call double @PyFloat_AsDouble(ptr %object)
  %minus = fcmp oeq double %double, -1.0
  br i1 %minus, label %check_float, label %good_float
check_float:
  %float_error = call ptr @PyErr_Occurred()
  %float_fine = icmp eq ptr %float_error, null
  br i1 %float_fine, label %good_float, label %bad
good_int:
  %pair_int0 = insertvalue { i64, i1 } poison, i64 %int, 0
  %pair_int = insertvalue { i64, i1 } %pair_int0, i1 true, 1
  ret { i64, i1 } %pair_int
good_float:
  %float_bits = bitcast double %double to i64
  %pair0 = insertvalue { i64, i1 } poison, i64 %float_bits, 0
  %pair = insertvalue { i64, i1 } %pair0, i1 true, 1
  ret { i64, i1 } %pair
bad:
  ret { i64, i1 } zeroinitializer
}

; %count objects to 64 bits each; false with Python's error set.
define internal i1 @unpack(ptr %objects, i64 %count, ptr %out) noinline nounwind {
entry:
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %next, label %good
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %stored ]
  %from = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %from
  %pair = call { i64, i1 } @bits(ptr %object)
  %ok = extractvalue { i64, i1 } %pair, 1
  br i1 %ok, label %stored, label %bad
stored:
  %value = extractvalue { i64, i1 } %pair, 0
  %to = getelementptr i64, ptr %out, i64 %i
  store i64 %value, ptr %to
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %count
  br i1 %more, label %next, label %good
good:
  ret i1 true
bad:
  ret i1 false
}

define internal ptr @usage(ptr %text) noinline nounwind {
  %type_error = load ptr, ptr @PyExc_TypeError
  call void @PyErr_SetString(ptr %type_error, ptr %text)
  ret ptr null
}

; run(records, count, args): without the GIL.
define ptr @lazy_py_run(ptr %self, ptr %objects, i64 %count) nounwind {
entry:
  %values = alloca [3 x i64]
  %three = icmp eq i64 %count, 3
  br i1 %three, label %convert, label %usage
usage:
  %null = call ptr @usage(ptr @run_usage)
  ret ptr %null
convert:
  %ok = call i1 @unpack(ptr %objects, i64 3, ptr %values)
  br i1 %ok, label %go, label %bad
bad:
  ret ptr null
go:
  %records = load ptr, ptr %values
  %p1 = getelementptr i64, ptr %values, i64 1
  %number = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %values, i64 2
  %args = load i64, ptr %p2
  %state = call ptr @PyEval_SaveThread()
  call void @lazy_run(ptr %records, i64 %number, i64 %args)
  call void @PyEval_RestoreThread(ptr %state)
  call void @Py_IncRef(ptr @_Py_NoneStruct)
  ret ptr @_Py_NoneStruct
}

; call(records, count, *args): with the GIL, the arguments converted into slots.
define ptr @lazy_py_call(ptr %self, ptr %objects, i64 %count) nounwind {
entry:
  %enough = icmp sge i64 %count, 2
  br i1 %enough, label %convert, label %usage
usage:
  %null = call ptr @usage(ptr @call_usage)
  ret ptr %null
convert:
  %values = alloca i64, i64 %count, align 64
  %ok = call i1 @unpack(ptr %objects, i64 %count, ptr %values)
  br i1 %ok, label %go, label %bad
bad:
  ret ptr null
go:
  %records = load ptr, ptr %values
  %p1 = getelementptr i64, ptr %values, i64 1
  %number = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %values, i64 2
  %args = ptrtoint ptr %p2 to i64
  call void @lazy_run(ptr %records, i64 %number, i64 %args)
  call void @Py_IncRef(ptr @_Py_NoneStruct)
  ret ptr @_Py_NoneStruct
}
'''
