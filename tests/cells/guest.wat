;; The smallest guest: imports the kernel's one function, exports run. The tests put in what run does; strings
;; are at fixed places below 4096, realloc bumps upwards from there and grows the memory.
(component
  (import "agentos:guest/kernel@1.0.0"
    (instance $kernel (export "invoke" (func (param "request" string) (result string)))))
  (core module $Memory
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get $size)))
      (block $done
        (loop $more
          (br_if $done (i32.ge_u (i32.mul (memory.size) (i32.const 65536)) (global.get $top)))
          (br_if $done (i32.eq (memory.grow (i32.const 1)) (i32.const -1)))
          (br $more)))
      (local.get $at)))
  (core instance $memory (instantiate $Memory))
  (core func $invoke
    (canon lower (func $kernel "invoke")
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $Main
    (import "memory" "memory" (memory 1))
    (import "kernel" "invoke" (func $invoke (param i32 i32 i32)))
    (data (i32.const 64) "full")
    (func $begin (call $invoke (i32.const 0) (i32.const 0) (i32.const 16)))
    (func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))
    START
    (func (export "run") (param $at i32) (param $length i32) (result i32)
      BODY))
  (core instance $main
    (instantiate $Main
      (with "memory" (instance $memory))
      (with "kernel" (instance (export "invoke" (func $invoke))))))
  (func (export "run") (param "request" string) (result string)
    (canon lift (core func $main "run")
      (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
