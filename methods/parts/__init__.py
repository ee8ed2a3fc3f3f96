"""What single methods put into a backbone, where bench/model/ has it not; torch comes in here, when one attaches."""
