Pod::Spec.new do |s|
  s.name = '@TYPE@'
  s.version = '@VERSION@'
  s.summary = 'The model @MODEL@ with the ernn library'
  s.homepage = 'https://example.com/@MODEL@'
  s.license = { :type => 'MIT', :text => 'MIT' }
  s.author = 'edgernn'
  s.source = { :path => '.' }
  s.ios.deployment_target = '12.0'
  s.swift_version = '5.5'
  s.source_files = 'Sources/**/*.{c,h,swift}'
  s.preserve_paths = 'Sources/CErnn/include/module.modulemap'
  s.pod_target_xcconfig = {
    'SWIFT_INCLUDE_PATHS' => '$(PODS_TARGET_SRCROOT)/Sources/CErnn/include',
    'GCC_PREPROCESSOR_DEFINITIONS' => '$(inherited) @POD_DEFINES@',
  }
  s.resource_bundles = {
    '@TYPE@' => ['Sources/@TYPE@/@MODEL@.ernn', 'Sources/@TYPE@/PrivacyInfo.xcprivacy'],
  }
end
